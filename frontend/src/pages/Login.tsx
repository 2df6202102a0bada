import { useEffect, useState } from "preact/hooks";
import { ApiError } from "../api/http";
import { login } from "../api/session";
import { navigate } from "../router";
import type { PageProps } from "../routes";
import { connect } from "../store/wire";
import "./Login.css";

/** Only places on this site: a link from elsewhere must not choose where a login leads. */
export function safeNext(next: string | null): string {
  return next && /^\/(?![/\\])/.test(next) && !next.startsWith("/login") ? next : "/";
}

export default function LoginPage({ query }: PageProps) {
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState("");

  const enter = async (body: { token: string } | { api_key: string }): Promise<void> => {
    setBusy(true);
    setError("");
    try {
      connect(await login(body));
      navigate(safeNext(query.get("next")), true);
    } catch (e) {
      const used = "token" in body && e instanceof ApiError && e.status === 401;
      setError(
        used
          ? "This link was used already or is too old. Make a new one with `trapo login-link`, or enter an API key."
          : String((e as Error).message),
      );
      setBusy(false);
    }
  };

  useEffect(() => {
    const readToken = (): void => {
      const token = new URLSearchParams(location.hash.slice(1)).get("token");
      if (!token) return;
      // The token is worth nothing after this, but it has no business in the history either.
      history.replaceState(null, "", location.pathname + location.search);
      void enter({ token });
    };
    readToken();
    // A link pasted into a tab that shows this page changes the hash and loads nothing.
    window.addEventListener("hashchange", readToken);
    return () => window.removeEventListener("hashchange", readToken);
  }, []);

  const submit = (event: SubmitEvent): void => {
    event.preventDefault();
    const key = new FormData(event.currentTarget as HTMLFormElement).get("key");
    if (typeof key === "string" && key.trim()) void enter({ api_key: key.trim() });
  };

  return (
    <main id="main" class="login">
      <form class="card" onSubmit={submit}>
        <h1>Log in</h1>
        <p class="muted">
          <code>trapo up</code> and <code>trapo login-link</code> print a link that opens this dashboard. An API key
          does the same.
        </p>
        <label for="key">API key</label>
        <input
          id="key"
          name="key"
          type="password"
          autocomplete="current-password"
          placeholder="trapo_…"
          disabled={busy}
          autofocus
        />
        {error && (
          <p class="error" role="alert">
            {error}
          </p>
        )}
        <button type="submit" class="primary" disabled={busy}>
          {busy ? "Logging in…" : "Log in"}
        </button>
      </form>
    </main>
  );
}
