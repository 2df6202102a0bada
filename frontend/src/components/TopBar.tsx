import { logout } from "../api/session";
import { navigate } from "../router";
import { useStore } from "../store/state";
import { disconnect } from "../store/wire";
import type { Connection } from "../stream";
import { toggleTheme } from "../theme";
import { useTheme } from "./canvas";

const WORDS: Record<Connection, string> = {
  connecting: "connecting",
  live: "live",
  offline: "offline",
  asleep: "asleep",
};
const WHY: Record<Connection, string> = {
  connecting: "The live stream is being opened.",
  live: "New steps appear as they are made.",
  offline: "No connection to the service; what you see may be old. Trying again.",
  asleep: "The stream rests while this tab is hidden.",
};

const PAGES = [
  { href: "/", name: "Runs", below: "/runs/" },
  { href: "/benchmarks", name: "Benchmarks", below: "/benchmarks/" },
  { href: "/system", name: "System", below: "/system/" },
];

export function TopBar({ known, path }: { known: boolean; path: string }) {
  const { connection } = useStore();
  const shade = useTheme();
  return (
    <header class="top">
      <a class="brand" href="/">
        <img src="/favicon.svg" width="22" height="22" alt="" />
        TRAPO
      </a>
      {known && (
        <nav aria-label="Pages">
          {PAGES.map(({ href, name, below }) => (
            <a key={href} href={href} aria-current={path === href || path.startsWith(below) ? "page" : undefined}>
              {name}
            </a>
          ))}
        </nav>
      )}
      <span class="grow" />
      {known && path !== "/new" && (
        <a class="new-run" href="/new">
          New run
        </a>
      )}
      {known && (
        <span class={`connection ${connection}`} role="status" title={WHY[connection]}>
          {WORDS[connection]}
        </span>
      )}
      <button
        type="button"
        class="quiet"
        onClick={toggleTheme}
        aria-label={`Use the ${shade === "dark" ? "light" : "dark"} theme`}
      >
        {shade === "dark" ? "light" : "dark"}
      </button>
      {known && (
        <button type="button" class="quiet" onClick={leave}>
          log out
        </button>
      )}
    </header>
  );
}

async function leave(): Promise<void> {
  await logout().catch(() => {}); // the session may be gone already, which is what was asked for
  disconnect();
  navigate("/login");
}
