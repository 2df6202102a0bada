import { useEffect, useRef, useState } from "preact/hooks";

/** Whether an element is on the screen or about to be: what is not is not drawn. */
export function useVisible<T extends HTMLElement>(): [preact.RefObject<T | null>, boolean] {
  const ref = useRef<T | null>(null);
  const [visible, set] = useState(false);
  useEffect(() => {
    const observer = new IntersectionObserver(([entry]) => set(entry!.isIntersecting), { rootMargin: "150px" });
    observer.observe(ref.current!);
    return () => observer.disconnect();
  }, []);
  return [ref, visible];
}
