import type { PageProps } from "../routes";

export default function MissingPage({ parts }: PageProps) {
  return (
    <main id="main">
      <h1>No such page</h1>
      <p>
        There is nothing at <code>/{parts[0]}</code>. <a href="/">All runs</a>
      </p>
    </main>
  );
}
