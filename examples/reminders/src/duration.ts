const SECONDS: Record<string, number> = { s: 1, m: 60, h: 3_600, d: 86_400, w: 604_800 };

/** "1h30m" in seconds; undefined for what is no duration. */
export function parseDuration(text: string): number | undefined {
  const parts = text.trim().toLowerCase().matchAll(/(\d{1,6})\s*([smhdw])\s*/gy);
  let read = 0;
  let seconds = 0;
  for (const [part, number, unit] of parts) {
    read += part.length;
    seconds += Number(number) * (SECONDS[unit as string] ?? 0);
  }
  return read === text.trim().length && seconds > 0 ? seconds : undefined;
}

/** A time as everybody's Discord shows it in their own time zone: "in 10 minutes". */
export function relative(milliseconds: number): string {
  return `<t:${Math.floor(milliseconds / 1000)}:R>`;
}
