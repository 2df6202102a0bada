import { render } from "preact";
import { useEffect, useState } from "preact/hooks";
import { type ApiError, getSession, whenUnauthenticated } from "./api";
import { TopBar } from "./components/TopBar";
import { LoginPage } from "./pages/Login";
import { RunPage } from "./pages/Run";
import { RunsPage } from "./pages/Runs";
import { interceptLinks, navigate, usePlace } from "./router";
import { connect, disconnect } from "./store";
import { startTheme } from "./theme";
import "./style.css";

function toLogin(): void {
  if (location.pathname === "/login") return;
  disconnect();
  const here = location.pathname + location.search;
  navigate(here === "/" ? "/login" : `/login?next=${encodeURIComponent(here)}`, true);
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
  if (!asked) return <TopBar known={false} />;
  return (
    <>
      <TopBar known={path !== "/login"} />
      <Page path={path} query={query} />
    </>
  );
}

function Page({ path, query }: { path: string; query: URLSearchParams }) {
  if (path === "/login") return <LoginPage query={query} />;
  if (path === "/") return <RunsPage />;
  const run = /^\/runs\/([^/]+)\/?$/.exec(path);
  if (run) return <RunPage key={run[1]} id={decodeURIComponent(run[1]!)} query={query} />;
  return (
    <main>
      <h1>No such page</h1>
      <p>
        There is nothing at <code>{path}</code>. <a href="/">All runs</a>
      </p>
    </main>
  );
}

startTheme();
interceptLinks();
whenUnauthenticated(toLogin);
render(<App />, document.getElementById("app")!);
