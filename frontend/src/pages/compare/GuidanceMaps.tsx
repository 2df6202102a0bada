/** How much expert guidance each still needed, in one scale of colours. */
import { useEffect, useMemo, useState } from "preact/hooks";
import { asSvg, sheet } from "../../components/canvas";
import { Figure } from "../../components/Figure";
import { HeatLegend } from "../../components/HeatLegend";
import { HeatMap } from "../../components/HeatMap";
import { Defined } from "../../components/Meanings";
import { useVisible } from "../../components/visible";
import { StepCursor } from "../../cursor";
import { runName } from "../../format";
import type { Compared } from "../../live";
import { OF_GUIDANCE } from "../../meanings";
import { canGuide, heatTable, insteadOfPrefixes, levelMap, summarize } from "../../pictures/guidance";
import { drawHeat, heatLayout } from "../../pictures/heatmap";
import { paint } from "../../pictures/marks";
import type { Side } from "../../pictures/sides";
import { showGuidance } from "../../store/compared";
import { useStore } from "../../store/state";
import { cssVar, FONT, theme } from "../../theme";

const NEVER: number[] = [];

export function GuidanceMaps({ sides }: { sides: readonly Side[] }) {
  const [cursor] = useState(() => new StepCursor());
  const runs = sides.flatMap((side) => side.runs).filter((run) => run.kind === "train");
  if (runs.length === 0) return null;
  return (
    <section aria-labelledby="guidance-maps" class="guidance-maps">
      <h2 id="guidance-maps">Guidance</h2>
      <HeatLegend resumed={false} />
      <div class="panels">
        {runs.map((run) => (
          <OneMap key={run.id} id={run.id} cursor={cursor} />
        ))}
      </div>
    </section>
  );
}

function OneMap({ id, cursor }: { id: string; cursor: StepCursor }) {
  const held = useStore().compared.get(id);
  const [box, visible] = useVisible<HTMLDivElement>();
  const one = held?.state === "ready" ? held.value : null;
  const missing = one !== null && one.guidance === null;
  useEffect(() => {
    if (visible && missing) void showGuidance(id).catch(() => {}); // the chip says that we are offline
  }, [visible, missing]);
  return (
    <div ref={box} class="map-place">
      {one && <OneFigure one={one} cursor={cursor} visible={visible} />}
    </div>
  );
}

function OneFigure({ one, cursor, visible }: { one: Compared; cursor: StepCursor; visible: boolean }) {
  const { detail, guidance } = one;
  const [reading, setReading] = useState("");
  const map = useMemo(() => levelMap(guidance?.steps ?? [], guidance?.perBucket ?? 1, 60), [guidance]);
  const none = !guidance || !canGuide(guidance.steps);
  const title = runName(detail);
  const drawing = () => drawHeat(heatLayout(map, 720, 200, null), map, theme() === "dark", NEVER);
  const color = (name: string): string => (name.startsWith("rgb") ? name : cssVar(name));
  return (
    <Figure
      title={title}
      file={`guidance-${detail.id}`}
      summary={
        guidance
          ? none
            ? "No expert prefixes."
            : summarize(guidance.steps, guidance.perBucket)
          : "It is read when it comes into view."
      }
      reading={reading}
      about={<Defined names={OF_GUIDANCE} />}
      empty={none}
      table={() => heatTable(map)}
      png={() => sheet(title, [], 720, 204, (ctx) => paint(ctx, drawing().marks, FONT, color))}
      svg={() => asSvg(title, [], [drawing()])}
    >
      {none && <div class="nothing">{guidance?.steps.length ? insteadOfPrefixes(detail.method) : "No steps yet."}</div>}
      {!none && !visible && <div class="unseen" />}
      {!none && visible && (
        <HeatMap
          data={map}
          height={170}
          zoom={null}
          resumedAt={NEVER}
          cursor={cursor}
          label={`Guidance of ${title}`}
          onReading={setReading}
        />
      )}
    </Figure>
  );
}
