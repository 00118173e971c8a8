import { useQuery } from "@tanstack/react-query";
import { Search, SlidersHorizontal } from "lucide-react";
import { useEffect, useState } from "react";
import { workflowsQuery } from "../../api/queries.js";
import { Button } from "../../parts/button.js";
import { Field, inputClass } from "../../parts/field.js";
import type { RunSearch } from "../../shell/router.js";
import { SINCE } from "./filter.js";
import styles from "./runs.module.css";

const TYPING_MS = 250;

interface FiltersProps {
  readonly search: RunSearch;
  readonly change: (next: Partial<Record<keyof RunSearch, string | undefined>>) => void;
}

export function Filters({ search, change }: FiltersProps) {
  const hidden = [search.reference, search.schedule, search.parent, search.after, search.before].filter(Boolean).length;
  const [more, setMore] = useState(hidden > 0);
  const { data } = useQuery(workflowsQuery);
  const names = [...new Set(data?.workflows.map(({ name }) => name))];
  const versions = data?.workflows.filter(({ name }) => name === search.workflow).map(({ version }) => version) ?? [];
  return (
    <>
      <div className={styles["filters"]}>
        <SearchBox value={search.q ?? ""} change={(q) => change({ q })} />
        <Choice
          label="Workflow"
          all="All workflows"
          value={search.workflow}
          options={withChosen(names, search.workflow).map((name) => [name, name])}
          change={(workflow) => change({ workflow, version: undefined })}
        />
        <Choice
          label="Version"
          all="All versions"
          value={search.version}
          disabled={!search.workflow}
          options={withChosen(versions, search.version).map((version) => [version, version])}
          change={(version) => change({ version })}
        />
        <Choice
          label="Created"
          all="Any time"
          value={search.since}
          options={Object.entries(SINCE).map(([key, { name }]) => [key, name])}
          change={(since) => change({ since, after: undefined })}
        />
        <Button onClick={() => setMore(!more)} aria-expanded={more}>
          <SlidersHorizontal size={14} aria-hidden />
          {hidden > 0 ? `More (${hidden})` : "More"}
        </Button>
      </div>
      {more && <MoreFilters search={search} change={change} />}
    </>
  );
}

function MoreFilters({ search, change }: FiltersProps) {
  return (
    <div className={styles["more"]}>
      <Exact label="Reference id" value={search.reference} change={(reference) => change({ reference })} />
      <Exact label="Schedule" value={search.schedule} change={(schedule) => change({ schedule })} />
      <Exact label="Parent run" value={search.parent} change={(parent) => change({ parent })} />
      <Field label="Created after">
        {(id) => (
          <input
            id={id}
            type="datetime-local"
            value={search.after ?? ""}
            onChange={({ target }) => change({ after: target.value, since: undefined })}
          />
        )}
      </Field>
      <Field label="Created before">
        {(id) => (
          <input
            id={id}
            type="datetime-local"
            value={search.before ?? ""}
            onChange={({ target }) => change({ before: target.value })}
          />
        )}
      </Field>
    </div>
  );
}

/** Taken when somebody has typed to the end: half a reference is nobody's. */
function Exact({
  label,
  value = "",
  change,
}: {
  readonly label: string;
  readonly value?: string | undefined;
  readonly change: (value: string) => void;
}) {
  const [text, setText] = useState(value);
  useEffect(() => setText(value), [value]);
  return (
    <Field label={label}>
      {(id) => (
        <input
          id={id}
          value={text}
          spellCheck={false}
          onChange={({ target }) => setText(target.value)}
          onBlur={() => change(text.trim())}
          onKeyDown={({ key }) => key === "Enter" && change(text.trim())}
        />
      )}
    </Field>
  );
}

function SearchBox({ value, change }: { readonly value: string; readonly change: (text: string) => void }) {
  const [text, setText] = useState(value);
  useEffect(() => setText(value), [value]);
  useEffect(() => {
    if (text === value) return;
    const timer = setTimeout(() => change(text), TYPING_MS);
    return () => clearTimeout(timer);
  }, [text, value, change]);
  return (
    <div className={styles["search"]}>
      <Search size={14} aria-hidden />
      <input
        type="search"
        className={inputClass}
        aria-label="Search by id or reference"
        placeholder="Search by id or reference"
        spellCheck={false}
        value={text}
        onChange={({ target }) => setText(target.value)}
      />
    </div>
  );
}

function Choice({
  label,
  all,
  value = "",
  options,
  change,
  disabled = false,
}: {
  readonly label: string;
  readonly all: string;
  readonly value?: string | undefined;
  readonly options: readonly (readonly [value: string, name: string])[];
  readonly change: (value: string | undefined) => void;
  readonly disabled?: boolean;
}) {
  return (
    <select
      className={inputClass}
      aria-label={label}
      value={value}
      disabled={disabled}
      onChange={({ target }) => change(target.value === "" ? undefined : target.value)}
    >
      <option value="">{all}</option>
      {options.map(([option, name]) => (
        <option key={option} value={option}>
          {name}
        </option>
      ))}
    </select>
  );
}

/** What the address names is shown, even when nobody serves it any more. */
function withChosen(values: readonly string[], chosen: string | undefined): string[] {
  return chosen === undefined || values.includes(chosen) ? [...values] : [chosen, ...values];
}
