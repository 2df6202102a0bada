/** The spec as text: to copy, and to fill the form from. */
import { useState } from "preact/hooks";
import { toYaml } from "../../pictures/yaml";
import { isRecord, type Json } from "../../spec/draft";
import { commandOf, curlOf, type Order } from "../../spec/orders";

interface Props {
  specs: Json[];
  /** What would be sent. */
  orders: Order[];
  /** Null where a whole spec cannot be taken. */
  onFill: ((drafts: Json[]) => void) | null;
}
const KINDS = ["YAML", "JSON", "trapo", "curl"] as const;
type Kind = (typeof KINDS)[number];

export function AsText({ specs, orders, onFill }: Props) {
  const [kind, setKind] = useState<Kind>("YAML");
  const [told, setTold] = useState("");
  const text = textOf(kind, specs, orders);
  const copy = (): void => {
    // Only there over https and on this machine; elsewhere the text can be marked and copied by hand.
    (navigator.clipboard?.writeText(text) ?? Promise.reject(new Error("no clipboard"))).then(
      () => setTold("Copied."),
      () => setTold("The browser does not allow it here: mark the text and copy it."),
    );
  };
  return (
    <details class="card new-card as-text">
      <summary>
        <h2>As text</h2>
      </summary>
      <div class="spec-tabs" role="group" aria-label="Text of the spec">
        {KINDS.map((one) => (
          <button key={one} type="button" class="quiet" aria-pressed={one === kind} onClick={() => setKind(one)}>
            {one}
          </button>
        ))}
        <button type="button" class="quiet" onClick={copy}>
          copy
        </button>
        <span class="muted" role="status">
          {told}
        </span>
      </div>
      <pre tabIndex={0}>{text}</pre>
      {onFill && <Paste onFill={onFill} />}
    </details>
  );
}

const yamlOf = (specs: Json[]): string => specs.map((spec) => toYaml(spec)).join("\n---\n");

function textOf(kind: Kind, specs: Json[], orders: Order[]): string {
  if (kind === "YAML") return yamlOf(specs);
  if (kind === "JSON") return JSON.stringify(specs.length === 1 ? specs[0] : specs, null, 2);
  if (kind === "curl") return orders.map((order) => curlOf(order, location.origin)).join("\n\n");
  return `cat > spec.yaml <<'END_OF_SPEC'\n${yamlOf(specs)}\nEND_OF_SPEC\n${commandOf(orders)}`;
}

function Paste({ onFill }: { onFill: (drafts: Json[]) => void }) {
  const [text, setText] = useState("");
  const [error, setError] = useState("");
  const fill = (): void => {
    const drafts = readSpecs(text);
    if (typeof drafts === "string") setError(drafts);
    else {
      setError("");
      setText("");
      onFill(drafts);
    }
  };
  return (
    <div class="spec-field">
      <label for="paste">fill the form from JSON</label>
      <textarea
        id="paste"
        rows={3}
        value={text}
        spellcheck={false}
        aria-invalid={error ? "true" : undefined}
        aria-describedby="paste:about"
        onInput={(e) => setText(e.currentTarget.value)}
      />
      <p id="paste:about" class="about">
        One spec, or a list of them. YAML is taken by <code>trapo submit</code>, not here.
      </p>
      {error && (
        <p class="error" role="alert">
          {error}
        </p>
      )}
      <button type="button" disabled={!text.trim()} onClick={fill}>
        Fill the form
      </button>
    </div>
  );
}

/** The specs of a JSON text, or why there are none. */
function readSpecs(text: string): Json[] | string {
  try {
    const found: unknown = JSON.parse(text);
    const specs = Array.isArray(found) ? found : [found];
    if (specs.length > 0 && specs.length <= 16 && specs.every(isRecord)) return specs;
    return "A spec is an object of fields; at most 16 of them.";
  } catch (e) {
    return `This is not JSON: ${(e as Error).message}`;
  }
}
