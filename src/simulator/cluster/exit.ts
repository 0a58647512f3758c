/** How a process ended. `signal` holds the reason when it could not even be started. */
export interface Exit {
  readonly code: number | null;
  readonly signal: string | null;
}

/** `ended with code 1`, `ended by SIGKILL`. */
export function exitInWords({ code, signal }: Exit): string {
  return code === null ? `ended by ${signal}` : `ended with code ${code}`;
}

/** 128 + 15: a shell or a JVM reports an end by SIGTERM like this. */
const codeOfSigterm = 143;

/** The process ended as SIGTERM asked it to: by itself, by the signal, or with the code that stands for the signal. */
export function isCleanEnd({ code, signal }: Exit): boolean {
  return code === 0 || code === codeOfSigterm || signal === 'SIGTERM';
}

/** The ends that `isCleanEnd` accepts, for error messages. */
export const cleanEndInWords = `with code 0, with code ${codeOfSigterm} or by SIGTERM itself`;
