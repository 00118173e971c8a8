/** The sign of Aiki: a force that is taken up and led on. */
export function Mark({ size }: { readonly size: number }) {
  return (
    <svg viewBox="0 0 32 32" width={size} height={size} aria-hidden="true">
      <rect width="32" height="32" rx="8" fill="currentColor" />
      <path
        d="M8 21.5c3.5 0 4.5-11 8-11s4.5 11 8 11"
        fill="none"
        stroke="var(--sunken)"
        strokeWidth="3"
        strokeLinecap="round"
      />
      <circle cx="16" cy="21.5" r="2.2" fill="var(--sunken)" />
    </svg>
  );
}
