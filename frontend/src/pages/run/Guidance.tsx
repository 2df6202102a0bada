/** How much expert guidance the problems still need. */
import { GuidanceFigure } from "../../components/GuidanceFigure";
import type { RunPartProps } from "../Run";

export default function Guidance({ data, query, ...shared }: RunPartProps) {
  return <GuidanceFigure data={data} view={query.get("view") === "length" ? "length" : "level"} {...shared} />;
}
