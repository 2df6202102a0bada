/** Who is looking, and the address of the stream. */
import type { Session } from "../types";
import { get, PREFIX, post, send } from "./http";

export const login = (body: { token: string } | { api_key: string }): Promise<Session> => post("/sessions", body);
export const getSession = (): Promise<Session> => get("/session");
export const logout = async (): Promise<void> => {
  await send("DELETE", "/sessions");
};

export const streamUrl = (after: number | null): string => `${PREFIX}/stream${after === null ? "" : `?after=${after}`}`;
