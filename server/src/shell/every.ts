/** Runs `task` again and again, `ms` after it ended the last time. Returns what ends it. Keeps no process alive. */
export function every(ms: number, task: () => Promise<void>, failed: (error: unknown) => void): () => void {
  let ended = false;
  let timer: ReturnType<typeof setTimeout> | undefined;
  const plan = () => {
    if (ended) return;
    timer = setTimeout(() => void task().catch(failed).finally(plan), ms);
    timer.unref();
  };
  plan();
  return () => {
    ended = true;
    clearTimeout(timer);
  };
}
