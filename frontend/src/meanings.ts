/** What each number means: the sentences of docs/rest.md; and the words that the pages use. */
export const MEANINGS: Record<string, string> = {
  "reward/unguided": "Mean reward of the first slot, which measures the model alone.",
  "Reward by level":
    "Success by how much of the expert trace was given. No prefix: the model alone on every problem; what a later slot lets go without a prefix is not in it. Longer prefixes go only to problems that still failed: levels do not compare as cause and effect.",
  "Benchmark scores": "Each evaluation's score with the interval it came with; the table names its method, n and k.",
  "completion/tokens_mean": "Sampled tokens a completion, mean over the step.",
  "completion/tokens_p10": "A tenth of the completions are shorter than this.",
  "completion/tokens_p90": "A tenth of the completions are longer than this.",
  "completion/truncated_share": "Share of completions without an end; above a half the run warns.",
  "guided/share": "Share of samples that started from an expert prefix.",
  "policy/entropy": "Entropy of the model's own tokens, in nats: a coin's toss has ln 2 = 0.69.",
  "sampler/kl":
    "KL(sampler ‖ trainer) of own tokens, estimator k3: mean of r − 1 − ln r, r the trainer's probability over the sampler's; above 0 also where several updates a batch move the trainer.",
  "expert/p_mean": "Mean probability that the model gives the expert tokens of the batch.",
  "expert/inside_trust_region": "Share of expert tokens with p ≥ alpha: those that are learned with full weight.",
  "policy/grad_norm": "Norm of the gradient before clipping.",
  "steps/skipped": "Steps skipped so far because their gradient was not finite; each is marked on the axis.",
  "throughput/tokens_per_s": "Trained response tokens a second.",
  "time/step_s": "Seconds of the whole step.",
  "time/rollout_s": "Seconds of sampling.",
  "time/reward_s": "The engine's wait for answers to be checked, in seconds.",
  "time/update_s": "Seconds of the update.",
  problem: "Prompt, answer, and zero or more expert traces.",
  "expert trace": "The expert's full solution, as tokens; a prefix is its beginning.",
  slot: "Samples of a problem drawn together, with the rule that decides whether they are guided and how long their prefix is.",
  group: "All samples of one problem in one step.",
  rollout: "One sample: prefix, completion, reward, and facts of each token.",
  p: "Probability that the model gives a token, before the step.",
  "kernel weight k(p)":
    "How hard an expert token pulls. With a trust region: 1 where p ≥ α, p/α below; what the model finds absurd is not forced upon it.",
  advantage:
    "A sample's reward against the others of its group: above 0 its own tokens are made likelier, below 0 less.",
  "avg@k": "Share of right answers among k to each problem, mean over problems.",
  "pass@k": "Chance that at least one of k answers to a problem is right, mean over problems.",
  Wilson: "The interval of a share where problems are independent trials: one answer each.",
  "Bootstrap over problems":
    "Problems are drawn anew, each with all its answers: 32 answers to one problem are no 32 problems. What another training seed would give is not in it; that is the standard deviation over seeds.",
};

export const OF_GUIDANCE = ["expert trace", "slot", "guided/share", "Reward by level"];
export const OF_ROLLOUTS = [
  "group",
  "slot",
  "rollout",
  "expert trace",
  "p",
  "kernel weight k(p)",
  "advantage",
  "policy/entropy",
];
export const OF_SCORES = ["avg@k", "pass@k", "Wilson", "Bootstrap over problems"];

/** The figures that stand for a run, in its head and in the list. */
export const FACTS: Record<string, string> = {
  method: "A named preset of spec values.",
  "unguided reward": `${MEANINGS["reward/unguided"]} Last 10 steps.`,
  guided: `${MEANINGS["guided/share"]} Last 10 steps.`,
  score: `Latest avg@k of the first benchmark. ${MEANINGS["avg@k"]}`,
};
