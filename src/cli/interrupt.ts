/**
 * Interrupt: the first SIGINT or SIGTERM asks for an end after what runs now; the second ends the process at once.
 * While it is not listening, a signal ends the process the ordinary way (what is stored on disk is whole at any time).
 */
import { EXIT, type ExitCode } from './exit.js';

type Signal = 'SIGINT' | 'SIGTERM';

export class Interrupt {
  signal: Signal | null = null;
  readonly #heard = (signal: NodeJS.Signals): void => {
    if (signal !== 'SIGINT' && signal !== 'SIGTERM') return;
    if (this.signal !== null) process.exit(codeOf(signal));
    this.signal = signal;
  };

  listen(): void {
    process.on('SIGINT', this.#heard);
    process.on('SIGTERM', this.#heard);
  }

  release(): void {
    process.off('SIGINT', this.#heard);
    process.off('SIGTERM', this.#heard);
  }

  get code(): ExitCode {
    return this.signal === null ? EXIT.ok : codeOf(this.signal);
  }
}

function codeOf(signal: Signal): ExitCode {
  return signal === 'SIGINT' ? EXIT.interrupted : EXIT.terminated;
}
