import { render } from "preact";
import { useEffect, useState } from "preact/hooks";
import { type ApiError, whenUnauthenticated } from "./api/http";
import { getSession } from "./api/session";
import { TopBar } from "./components/TopBar";
import { interceptLinks, navigate, usePlace } from "./router";
import { Lazy, pageOf } from "./routes";
import { connect, disconnect } from "./store/wire";
import { startTheme } from "./theme";
import "./style/base.css";
import "./style/parts.css";
import "./style/figures.css";

function toLogin(): void {
  if (location.pathname === "/login") return;
  disconnect();
  const here = location.pathname + location.search;
  navigate(here === "/" ? "/login" : `/login?next=${encodeURIComponent(here)}`, true);
}

/** Past the head, with the keyboard too: what is focused next is the page's own. */
function skip(event: Event): void {
  const main = document.getElementById("main");
  event.preventDefault();
  if (!main) return;
  main.tabIndex = -1;
  main.focus();
}

function App() {
  const { path, query } = usePlace();
  const [asked, setAsked] = useState(path === "/login");
  useEffect(() => {
    if (path === "/login") return;
    // Before anything is fetched: a page that flashes an error before the login form looks broken.
    getSession()
      .then(connect)
      // A 401 has led to the login page. Anything else the page itself will say, and the stream keeps trying.
      .catch((e: ApiError) => e.status !== 401 && connect())
      .finally(() => setAsked(true));
  }, []);
  if (!asked) return <TopBar known={false} path={path} />;
  const { load, parts } = pageOf(path);
  return (
    <>
      {/* biome-ignore lint/a11y/useValidAnchor: it leads to a place on the page; the router would take it for another */}
      <a class="skip" href="#main" onClick={skip}>
        Skip to the page
      </a>
      <TopBar known={path !== "/login"} path={path} />
      <Lazy key={path.split("/").slice(0, 3).join("/")} load={load} props={{ parts, query }} />
    </>
  );
}

// The page's code comes while the session is asked for, not after it. What fails here is said when it is opened.
pageOf(location.pathname)
  .load()
  .catch(() => {});
startTheme();
interceptLinks();
whenUnauthenticated(toLogin);
render(<App />, document.getElementById("app")!);
