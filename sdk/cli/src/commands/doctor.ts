import { Command } from "commander";
import pc from "picocolors";
import { checkAccount } from "../doctor/account.js";
import { checkDatabase } from "../doctor/database.js";
import type { Finding } from "../doctor/finding.js";
import { checkNode } from "../doctor/machine.js";
import { checkOrchestrator } from "../doctor/orchestrator.js";
import { EXIT } from "../exit.js";
import { session } from "../session.js";
import { printable } from "../text.js";

export function doctorCommand(): Command {
  return new Command("doctor")
    .description("check everything that a run needs, and say what to do about problems")
    .action(async (_options: object, command: Command) => {
      const cli = session(command);
      const findings = [checkNode(), ...(await checkOrchestrator(cli))];
      if (findings.every((one) => one.check !== "orchestrator" || one.ok)) findings.push(...(await checkAccount(cli)));
      findings.push(...(await checkDatabase(process.env.DATABASE_URL)));
      const ok = findings.every((one) => one.ok);
      cli.print({ ok, findings }, () => findings.map(findingText).join("\n"));
      if (!ok) process.exitCode = EXIT.failed;
    });
}

function findingText({ check, ok, detail, fix }: Finding): string {
  const line = `${ok ? pc.green("✓ ok     ") : pc.red("✗ problem")}  ${check.padEnd(12)}  ${printable(detail)}`;
  return fix === undefined ? line : `${line}\n             ${"".padEnd(12)}→ ${printable(fix)}`;
}
