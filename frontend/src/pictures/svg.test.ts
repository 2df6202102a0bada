import { expect, it } from "vitest";
import { escapeXml, markToSvg, svgFile } from "./svg";

const color = (name: string): string => `#${name}`;

it("text of others stays text in a file of markup", () => {
  expect(escapeXml('<img src=x onerror="a">&\u0000\ud800')).toBe("&lt;img src=x onerror=&quot;a&quot;&gt;&amp;");
  const mark = { kind: "text", x: 1, y: 2, text: "</text><script>", fill: "ink", size: 12, anchor: "start" } as const;
  expect(markToSvg(mark, color)).toContain("&lt;/text&gt;&lt;script&gt;</text>");
});

it("a path without a fill is not filled", () => {
  const path = { kind: "path", d: "M0 0L1 1", stroke: "run-a", dash: [4, 2] } as const;
  expect(markToSvg(path, color)).toContain('fill="none" stroke="#run-a" stroke-dasharray="4 2"');
});

it("a file holds title, legend and its drawings below each other", () => {
  const drawing = { width: 100, height: 50, marks: [] };
  const file = svgFile("Reward", [{ label: "trapo", color: "run-a" }], [drawing, drawing], color, "Arial");
  expect(file).toMatch(/^<svg xmlns="http:\/\/www.w3.org\/2000\/svg" width="132" height="194"/);
  expect(file).toContain(">Reward</text>");
  expect(file.match(/translate/g)).toHaveLength(2);
});
