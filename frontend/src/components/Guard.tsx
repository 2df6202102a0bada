/** What fails in drawing takes its own place and no more. */
import { Component, type ComponentChildren } from "preact";
import { asError } from "../loaded";
import { Failure } from "./parts";

export class Guard extends Component<{ children: ComponentChildren }, { error: Error | null }> {
  override state = { error: null };

  static override getDerivedStateFromError(e: unknown): { error: Error } {
    return { error: asError(e) };
  }

  override render() {
    const { error } = this.state;
    if (!error) return this.props.children;
    return <Failure error={error} again={() => this.setState({ error: null })} />;
  }
}
