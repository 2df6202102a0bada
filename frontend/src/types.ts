/** The api's bodies under the words we use for them; openapi.ts is generated and never edited. */
import type { components } from "./openapi";

type Schemas = components["schemas"];
export type Run = Schemas["Run"];
export type RunDetail = Schemas["RunDetail"];
export type RunPage = Schemas["RunPage"];
export type MethodInfo = Schemas["MethodInfo"];
export type State = Run["state"];
export type Attempt = Schemas["Attempt"];
export type Checkpoint = Schemas["Checkpoint"];
export type RunEvent = Schemas["RunEvent"];
export type Curves = Schemas["Curves"];
export type Guidance = Schemas["Guidance"];
export type GuidanceStep = Schemas["GuidanceStep"];
export type SlotOutcome = Schemas["SlotOutcome"];
export type TrainedProblem = Schemas["TrainedProblem"];
export type TrainedProblems = Schemas["TrainedProblems"];
export type ProblemVisit = Schemas["ProblemVisit"];
export type TrustRegion = Schemas["TrustRegion"];
export type Sweep = Schemas["Sweep"];
export type SeriesInfo = Schemas["SeriesInfo"];
export type Board = Schemas["Board"];
export type BoardLine = Schemas["BoardLine"];
export type BoardCell = Schemas["BoardCell"];
export type Score = Schemas["Score"];
export type Session = Schemas["Session"];
export type Problem = Schemas["Problem"];

export interface Page<Item> {
  data: Item[];
  next_cursor?: string | null;
}

/** One curve as columns; the exact value of a step, or the mean of a bucket of steps with its last step. */
export interface Column {
  steps: number[];
  values: number[];
  /** Extremes of each bucket, where a point is one. */
  low?: number[];
  high?: number[];
}

export const isOver = (state: State): boolean => state === "succeeded" || state === "failed" || state === "cancelled";

export type Group = Schemas["Group"];
export type GroupSample = Schemas["GroupSample"];
export type Groups = Schemas["Groups"];
export type RolloutDetail = Schemas["RolloutDetail"];

export type EvaluatedProblem = Schemas["EvaluatedProblem"];
export type EvaluatedProblems = Schemas["EvaluatedProblems"];
export type Alias = Schemas["Alias"];
export type SystemState = Schemas["SystemState"];
export type Webhook = Schemas["Webhook"];
export type Delivery = Schemas["Delivery"];
export type AuditEntry = Schemas["AuditEntry"];
export type Plan = Schemas["Plan"];
export type SpecSchema = Schemas["SpecSchema"];
export type RecipeInfo = Schemas["RecipeInfo"];
export type ModelInfo = Schemas["ModelInfo"];
export type DatasetInfo = Schemas["DatasetInfo"];
