/** What the training process printed, as it comes. */
import { useEffect, useState } from "preact/hooks";
import { getWholeLog } from "../../api/logs";
import { save } from "../../components/Figure";
import { LogLines } from "../../components/logs/LogLines";
import { LogSearch, useSearch } from "../../components/logs/LogSearch";
import { Failure } from "../../components/parts";
import { bytes } from "../../format";
import { asError } from "../../loaded";
import { setQuery } from "../../router";
import { useStore } from "../../store/state";
import { isOver } from "../../types";
import { type LogState, useLog } from "../../useLog";
import type { RunPartProps } from "../Run";
import "./Logs.css";

export default function Logs({ data, query }: RunPartProps) {
  const { id, state } = data.detail;
  const attempts = useStore().attempts.get(id) ?? [];
  const newest = attempts.at(-1)?.number ?? 0;
  const asked = Number(query.get("attempt"));
  const chosen = attempts.some((one) => one.number === asked) && asked !== newest ? asked : null;
  const read = useLog(id, chosen, chosen === null && !isOver(state) && state !== "paused");
  const [wrap, setWrap] = useState(true);
  const search = useSearch(read, query.get("find") ?? "");
  return (
    <section class="card details" aria-label="Log">
      <div class="log-tools">
        {attempts.length > 1 && (
          <label>
            Attempt
            <select
              value={chosen ?? newest}
              onChange={(e) =>
                setQuery("attempt", Number(e.currentTarget.value) === newest ? null : e.currentTarget.value)
              }
            >
              {attempts.toReversed().map(({ number, reason }) => (
                <option key={number} value={number}>
                  {number}
                  {reason ? `, ${reason.replaceAll("_", " ")}` : ""}
                </option>
              ))}
            </select>
          </label>
        )}
        <LogSearch search={search} query={query} />
        <button type="button" class="quiet" aria-pressed={wrap} onClick={() => setWrap(!wrap)}>
          wrap
        </button>
        <Download id={id} attempt={chosen} />
        <Said state={read.state} size={read.size} />
      </div>
      {read.state instanceof Error ? (
        <Failure error={read.state} again={read.again} />
      ) : (
        <LogLines read={read} wrap={wrap} search={search} />
      )}
    </section>
  );
}

function Download({ id, attempt }: { id: string; attempt: number | null }) {
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState("");
  const get = (): void => {
    setBusy(true);
    setError("");
    getWholeLog(id, attempt)
      .then((parts) => save(new Blob(parts, { type: "text/plain" }), `${id}${attempt ? `-${attempt}` : ""}.log`))
      .catch((e: unknown) => setError(asError(e).message))
      .finally(() => setBusy(false));
  };
  return (
    <>
      <button type="button" class="quiet" disabled={busy} onClick={get}>
        {busy ? "reading it all…" : "download"}
      </button>
      {error && (
        <span class="error" role="alert">
          {error}
        </span>
      )}
    </>
  );
}

function Said({ state, size }: { state: LogState; size: number }) {
  const [words, setWords] = useState("");
  useEffect(() => {
    if (state === "live") setWords("New lines appear as they are printed.");
    else if (state === "offline") setWords("The connection is lost; trying again.");
    else if (state === "ended") setWords(size ? `${bytes(size)}, complete.` : "");
    else setWords("");
  }, [state, size]);
  return (
    <span class="muted log-state" role="status">
      {words}
    </span>
  );
}
