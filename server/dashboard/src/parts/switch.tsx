import styles from "./switch.module.css";

interface SwitchProps<Choice extends string> {
  readonly choices: readonly (readonly [choice: Choice, label: string])[];
  readonly chosen: Choice;
  readonly choose: (choice: Choice) => void;
}

/** A few choices side by side, one of them in force. */
export function Switch<Choice extends string>({ choices, chosen, choose }: SwitchProps<Choice>) {
  return (
    <span className={styles["switch"]}>
      {choices.map(([choice, label]) => (
        <button key={choice} type="button" aria-pressed={choice === chosen} onClick={() => choose(choice)}>
          {label}
        </button>
      ))}
    </span>
  );
}
