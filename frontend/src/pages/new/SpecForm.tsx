/** The form of one or several specs, with what comes of them beside it. */
import { useState } from "preact/hooks";
import type { Gpu } from "../../api/specs";
import { Confirm } from "../../components/Confirm";
import { PRIORITIES, readPriority } from "../../labels";
import { navigate } from "../../router";
import { baseOf, changesOf, type Json, merge, overridesOf, put } from "../../spec/draft";
import { isSweep, ordersOf } from "../../spec/orders";
import { type FieldError, isWithin, pointerOf } from "../../spec/pointers";
import { type FieldOf, readSchema, type Schema } from "../../spec/schema";
import { firstPoint, placed, readSweep } from "../../spec/sweep";
import type { Catalogue } from "../New";
import { AsText } from "./AsText";
import type { Beginning } from "./beginning";
import { Changes } from "./Changes";
import { ErrorSummary } from "./ErrorSummary";
import { Fields } from "./Fields";
import { type Form, FormContext } from "./form";
import { PlanCard } from "./PlanCard";
import { SendBox } from "./SendBox";
import { SpecTabs } from "./SpecTabs";
import { SweepPart } from "./SweepPart";
import { suggestions } from "./suggest";
import { useChecks } from "./useChecks";
import { useKept } from "./useKept";
import { useSubmit } from "./useSubmit";

export function SpecForm({ catalogue, beginning }: { catalogue: Catalogue; beginning: Beginning }) {
  const [kept, change, forget] = useKept(beginning.key, beginning.drafts);
  const [place, setPlace] = useState(0);
  const [gpu, setGpu] = useState<Gpu | null>(null);
  const [touched, setTouched] = useState<string[]>([]);
  const [tried, setTried] = useState(0);
  const [asking, setAsking] = useState(false);
  const { clone } = beginning;
  const at = Math.min(place, kept.drafts.length - 1);
  const draft = kept.drafts[at]!;

  const bases = kept.drafts.map((one) => baseFor(catalogue, beginning, one));
  const base = bases[at]!.values;
  const alone = !clone && kept.drafts.length === 1;
  const axes = alone ? kept.axes : [];
  const sweep = readSweep(axes, alone ? kept.seeds : "", bases[at]!.root);
  // Of a sweep the first run.
  const specs = kept.drafts.map((one, i) =>
    clone ? (merge(bases[i]!.values, one) as Json) : firstPoint(one, bases[i]!.values, sweep.matrix),
  );
  const asked = JSON.stringify([specs, sweep.matrix, sweep.seeds]);
  const [checks, setResults, checkAgain] = useChecks(specs, gpu, catalogue.may);
  const [refused, setRefused] = useState<{ asked: string; errors: FieldError[] } | null>(null);
  const errorsAt = (i: number) =>
    placed(refused?.asked === asked ? refused.errors : (checks.results[i]?.errors ?? []), axes);
  const seen =
    tried > 0 ? () => true : (pointer: string) => pointer === "/sweep" || touched.some((one) => isWithin(pointer, one));
  const sender = useSubmit({
    keys: kept.keys,
    keep: (keys) => change({ keys }),
    onMade: (ids) => {
      forget();
      navigate(placeOf(ids, isSweep(sweep)));
    },
    onErrors: (errors, i) => {
      // What is wrong with another run of a sweep than the first stands until the sweep changes.
      if (isSweep(sweep)) return setRefused({ asked, errors });
      setPlace(i);
      setResults(specs.map((_, at) => (at === i ? { plan: null, errors } : checks.results[at]!)));
    },
  });

  const priority = readPriority(kept.priority);
  const own = [...sweep.errors, ...(priority === null ? [{ pointer: "/priority", message: PRIORITIES }] : [])];
  const send = (event: Event): void => {
    event.preventDefault();
    setTried((n) => n + 1);
    // What was said of an earlier text does not hold it back: then the service's own answer does.
    const wrong = checks.busy ? -1 : specs.findIndex((_, i) => errorsAt(i).length > 0);
    if (wrong >= 0) setPlace(wrong);
    else if (own.length === 0)
      void sender.send(ordersOf({ ...sweep, drafts: specs, priority: priority ?? 0, clone: cloned }));
  };
  const cloned = clone && {
    id: clone.run.id,
    overrides: overridesOf(base, draft),
    fromCheckpoint: clone.fromCheckpoint,
  };
  const setDraft = (next: Json): void => change({ drafts: kept.drafts.map((one, i) => (i === at ? next : one)) });
  const form: Form = {
    draft,
    base,
    whole: merge(base, draft) as Json,
    errors: [...errorsAt(at), ...own].filter((e) => seen(e.pointer)),
    disabled: !catalogue.may || sender.busy,
    origin: clone ? "the run has" : draft.kind === "eval" ? "default" : `${String(draft.method ?? "trapo")} has`,
    put: (path, value) => setDraft(put(draft, base, path, value)),
    touch: (path) => setTouched((before) => [...new Set([...before, pointerOf(path)])]),
    suggest: suggestions(catalogue),
  };
  const startOver = (): void => {
    forget();
    setTried(0);
    setTouched([]);
    setAsking(false);
  };
  const fill = (drafts: Json[]): void => {
    change({ drafts });
    setPlace(0);
  };
  const begun = JSON.stringify([kept.drafts, kept.axes, kept.seeds]) !== JSON.stringify([beginning.drafts, [], ""]);
  return (
    <FormContext.Provider value={form}>
      <div class="new-head">
        <h1>{beginning.title}</h1>
        <button type="button" class="quiet" disabled={!begun} onClick={() => setAsking(true)}>
          start over
        </button>
        <a href="/new">begin with something else</a>
      </div>
      {clone && <CloneNote beginning={beginning} />}
      <form class="new-form" onSubmit={send} noValidate>
        <div class="new-fields">
          {tried > 0 && <ErrorSummary errors={form.errors} message={sender.error} tried={tried} />}
          <SpecTabs specs={specs} errors={specs.map((_, i) => errorsAt(i).length)} at={at} onChoose={setPlace} />
          <Fields key={at} root={bases[at]!.root} methods={catalogue.methods} fixed={!!clone} />
          {alone && <SweepPart kept={kept} change={change} sweep={sweep} root={bases[at]!.root} />}
        </div>
        <aside class="new-side" aria-label="What comes of it">
          <PlanCard
            result={checks.results[at] ?? null}
            checks={checks}
            gpu={gpu}
            onGpu={setGpu}
            again={checkAgain}
            may={catalogue.may}
            runs={sweep.runs}
          />
          <Changes changes={changesOf(base, draft).filter((one) => one.path[0] !== "kind")} clone={!!clone} />
          <SendBox kept={kept} change={change} runs={alone ? sweep.runs : kept.drafts.length} busy={sender.busy} />
          <AsText
            specs={specs}
            orders={ordersOf({ ...sweep, drafts: specs, priority: priority ?? 0, clone: cloned })}
            onFill={clone ? null : fill}
          />
        </aside>
      </form>
      {asking && (
        <Confirm
          title="Start over?"
          yes="Start over"
          no="Keep what I wrote"
          danger
          onYes={startOver}
          onClose={() => setAsking(false)}
        >
          <p>What you wrote here is put away, and the form is as it was when you opened it.</p>
        </Confirm>
      )}
    </FormContext.Provider>
  );
}

function CloneNote({ beginning }: { beginning: Beginning }) {
  const { run, fromCheckpoint } = beginning.clone!;
  return (
    <p class="lead">
      A new run with the spec of <a href={`/runs/${run.id}`}>{run.name || run.id}</a>
      {fromCheckpoint !== null && `, which begins with the weights of its checkpoint of step ${fromCheckpoint}`}. Only
      what you change is different.
    </p>
  );
}

/** The fields of a draft's kind, and what holds in them if nothing is said. */
function baseFor({ schema, methods }: Catalogue, { clone }: Beginning, draft: Json) {
  const kind = (clone ? clone.run.spec.kind : draft.kind) === "eval" ? "eval" : "train";
  const root = readSchema(schema[kind] as Schema) as FieldOf<"object">;
  if (clone) return { root, values: merge(baseOf(root, {}), clone.run.spec) as Json };
  const method = methods.find((one) => one.name === (draft.method ?? "trapo"));
  return { root, values: baseOf(root, kind === "train" ? (method?.values ?? {}) : {}) };
}

/** One run's own page; several side by side; those of a sweep in the list. */
function placeOf(ids: string[], sweep: boolean): string {
  if (sweep) return `/?q=${encodeURIComponent(`sweep:${ids[0]}`)}`;
  if (ids.length > 1) return `/compare?${ids.map((id) => `run=${id}`).join("&")}`;
  return `/runs/${ids[0]}`;
}
