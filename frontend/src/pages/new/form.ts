/** What every field of the form needs to know; the state itself is the page's. */
import { createContext } from "preact";
import { useContext } from "preact/hooks";
import { at, changesOf, type Json, type Path } from "../../spec/draft";
import { type FieldError, isWithin, pointerOf } from "../../spec/pointers";

export interface Suggestion {
  value: string;
  label: string;
}

export interface Form {
  draft: Json;
  /** What holds where the draft says nothing. */
  base: Json;
  /** Both together. */
  whole: Json;
  /** Those that are to be shown by now. */
  errors: FieldError[];
  disabled: boolean;
  /** Whose values the base has, in words. */
  origin: string;
  put: (path: Path, value: unknown) => void;
  touch: (path: Path) => void;
  suggest: (path: Path) => Suggestion[];
}

export const FormContext = createContext<Form>(null!);
export const useForm = (): Form => useContext(FormContext);

/** What is wrong at a field; `deep` takes what is wrong below it too. */
export function useErrors(path: Path, deep: boolean): FieldError[] {
  const pointer = pointerOf(path);
  return useForm().errors.filter((e) => (deep ? isWithin(e.pointer, pointer) : e.pointer === pointer));
}

/** The base's value, if the draft says another; undefined if there is nothing to go back to. */
export function useOriginal(path: Path): { value: unknown } | null {
  const { draft, base } = useForm();
  if (path.some((key) => typeof key === "number")) return null;
  const given = at(draft, path);
  const before = at(base, path);
  // An object that differs in some of its fields says so there.
  return before !== undefined && changesOf(before, given).some((change) => change.path.length === 0)
    ? { value: before }
    : null;
}
