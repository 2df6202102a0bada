/** What each number means: the sentences of docs/rest.md. */
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
  "policy/entropy": "Entropy of the model's own tokens, in nats.",
  "sampler/kl":
    "KL(sampler ‖ trainer) of own tokens, estimator k3; above 0 also where several updates a batch move the trainer.",
  "expert/p_mean": "Mean probability that the model gives the expert tokens of the batch.",
  "expert/inside_trust_region": "Share of expert tokens with p ≥ alpha: those that are learned with full weight.",
  "policy/grad_norm": "Norm of the gradient before clipping.",
  "steps/skipped": "Steps skipped so far because their gradient was not finite; each is marked on the axis.",
  "throughput/tokens_per_s": "Trained response tokens a second.",
  "time/step_s": "Seconds of the whole step.",
  "time/rollout_s": "Seconds of sampling.",
  "time/reward_s": "The engine's wait for answers to be checked, in seconds.",
  "time/update_s": "Seconds of the update.",
};
