import type { ScheduleSummary } from "@aikirun/protocol";
import { useQueryClient } from "@tanstack/react-query";
import { controlSchedule, triggerSchedule } from "../../api/actions.js";
import { Button } from "../../parts/button.js";
import table from "../../parts/table.module.css";
import { say, sayError } from "../../parts/toast.js";

export function ScheduleButtons({
  schedule,
  primary = false,
}: {
  readonly schedule: Pick<ScheduleSummary, "id" | "status">;
  readonly primary?: boolean;
}) {
  const queries = useQueryClient();
  const act = async (what: () => Promise<string>) => {
    try {
      say(await what());
    } catch (error) {
      sayError(error);
    }
    await queries.invalidateQueries({ queryKey: ["schedules"] });
  };
  const trigger = async () => {
    const { started } = await triggerSchedule(schedule.id);
    return started ? "Started a run" : "Skipped: the run before still goes on";
  };
  const verb = schedule.status === "active" ? "pause" : "resume";
  const change = async () => {
    await controlSchedule(schedule.id, verb);
    return verb === "pause" ? "Paused" : "It fires again";
  };
  return (
    <span className={table["buttons"]}>
      <Button onClick={() => void act(change)}>{verb === "pause" ? "Pause" : "Resume"}</Button>
      <Button kind={primary ? "primary" : "plain"} onClick={() => void act(trigger)}>
        Trigger
      </Button>
    </span>
  );
}
