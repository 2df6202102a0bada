/** Makes `key` the newest of a map and lets go of all but the `most` newest; those are named. Maps keep their order. */
export function keepNewest<K, V>(map: Map<K, V>, key: K, most: number): K[] {
  const value = map.get(key);
  if (value !== undefined && map.delete(key)) map.set(key, value);
  const others = [...map.keys()].filter((one) => one !== key);
  const gone = others.slice(0, Math.max(0, others.length - most + 1));
  for (const one of gone) map.delete(one);
  return gone;
}
