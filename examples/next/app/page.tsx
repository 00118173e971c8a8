import { startTrial } from "./start-trial";

export default function Page() {
  return (
    <main>
      <h1>Aiki in a Next.js app</h1>
      <p>The app router serves the order at /api/aiki, the pages router serves the trial at /api/trials.</p>
      <form action={startTrial}>
        <label>
          Account <input name="account" defaultValue="ada" />
        </label>
        <button type="submit">Start a trial of one minute</button>
      </form>
    </main>
  );
}
