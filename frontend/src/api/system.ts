/** What the service is at; for admins also whom it tells, and who did what. */
import type { AuditEntry, Delivery, Page, SystemState, Webhook } from "../types";
import { get, queryOf } from "./http";

export const getSystem = (): Promise<SystemState> => get("/system");
export const getAudit = (cursor: string | null): Promise<Page<AuditEntry>> =>
  get(`/audit${queryOf({ limit: "30", cursor })}`);

export interface ToldWebhook extends Webhook {
  deliveries: Delivery[];
}

/** Each with its last messages. */
export async function getWebhooks(): Promise<ToldWebhook[]> {
  const { data } = await get<Page<Webhook>>("/webhooks");
  const told = data.map(async (hook): Promise<ToldWebhook> => {
    const last = await get<Page<Delivery>>(`/webhooks/${hook.id}/deliveries${queryOf({ limit: "5" })}`);
    return { ...hook, deliveries: last.data };
  });
  return Promise.all(told);
}
