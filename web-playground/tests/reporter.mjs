// One line a test and one that counts, in the words that tests/run_suites.sh reads.
export default async function* report(source) {
  let passed = 0;
  let failed = 0;
  let skipped = 0;
  for await (const { type, data } of source) {
    if (type === "test:stdout" || type === "test:stderr") yield data.message;
    if ((type !== "test:pass" && type !== "test:fail") || data.details?.type === "suite") continue;
    if (data.skip || data.todo) {
      skipped++;
      yield `test ${data.name} ... ignored\n`;
    } else if (type === "test:pass") {
      passed++;
      yield `test ${data.name} ... ok\n`;
    } else {
      failed++;
      yield `test ${data.name} ... FAILED\n${data.details?.error?.cause?.stack ?? data.details?.error?.message ?? ""}\n`;
    }
  }
  yield `test result: ${failed ? "FAILED" : "ok"}. ${passed} passed; ${failed} failed; ${skipped} ignored;\n`;
}
