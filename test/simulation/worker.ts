import { simulateLife, type LifeOptions } from "./simulated-life.ts";

// One life after the other, as main.ts asks for them.
process.on("message", (options: LifeOptions) => {
  simulateLife(options).then(
    (result) => process.send?.(result),
    (thrown: unknown) => {
      console.error(`seed ${options.seed}, lifetime ${options.lifetimeDays}:`, thrown);
      process.exit(1);
    },
  );
});
