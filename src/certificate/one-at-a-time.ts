/** Makes queues by name: what is done under one name is done one at a time, in the order of the calls, whatever comes of it. */
export function createQueues(): <Result>(name: string, work: () => Promise<Result>) => Promise<Result> {
  const tails = new Map<string, Promise<unknown>>();
  return (name, work) => {
    const done = (tails.get(name) ?? Promise.resolve()).then(work);
    tails.set(
      name,
      done.catch(() => undefined),
    );
    return done;
  };
}
