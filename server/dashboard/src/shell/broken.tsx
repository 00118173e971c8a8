import { type ErrorComponentProps, useRouter } from "@tanstack/react-router";
import { Compass } from "lucide-react";
import { ButtonLink } from "../parts/button.js";
import { Empty, Problem } from "../parts/notice.js";

export function Broken({ error, reset }: ErrorComponentProps) {
  const router = useRouter();
  const again = () => {
    reset();
    void router.invalidate();
  };
  return <Problem error={error} again={again} />;
}

export function Missing() {
  return (
    <>
      <Empty icon={Compass} title="There is no such page">
        The address may be cut off, or from another version of this page.
      </Empty>
      <div className="centred">
        <ButtonLink to="/">Go home</ButtonLink>
      </div>
    </>
  );
}
