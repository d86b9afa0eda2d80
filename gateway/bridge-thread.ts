import { join } from 'node:path'
import { Worker } from 'node:worker_threads'
import { backoffMs, type RetryDelay } from '../lib/backoff.ts'
import { type Clock } from '../lib/clock.ts'
import { IsobarError } from '../lib/errors.ts'
import { type Logger } from '../lib/log.ts'
import { packageRoot } from '../lib/package.ts'
import { type Inbox } from '../inbox/inbox.ts'
import { type Settled } from '../schemas/delivery.ts'
import { unpackSettled, type Answer, type BridgeStatus, type BridgeThreadData, type FromBridge, type LetterNotices, type PackedSettled, type Question, type StoredChanges, type ToBridge } from '../schemas/thread.ts'

/** The bridge in a thread of its own, started again whenever it ends. */
export interface BridgeThread {
  /** What it last said of itself; null while none runs. */
  readonly status: BridgeStatus | null
  /** How often it was started again. */
  readonly restarts: number
  /**
   * Asks what only the thread can look up.
   * @returns the answer's JSON text
   * @throws IsobarError ISO_BRIDGE_AWAY while no thread runs or when it ends meanwhile, or the code that the thread gives
   */
  ask (question: Question): Promise<string>
  /** Lets it settle what it has read, for `deadlineMs` at most, and ends it. What it has said by then is durable in the inbox; the rest stays there. */
  close (deadlineMs: number): Promise<void>
}

export interface BridgeThreadOptions {
  readonly data: BridgeThreadData
  readonly inbox: Pick<Inbox, 'onAppended' | 'settle'>
  readonly clock: Clock
  readonly log: Logger
  /** Is told what changed of the devices' stored ranges. */
  readonly onStored?: (changes: StoredChanges) => void
  /** Is told what senders have to be told of their dead letters. */
  readonly onNotices?: (notices: LetterNotices) => void
  /** Is told what is settled, once that is on disk. */
  readonly onSettled?: (settled: readonly Settled[]) => void
  /** The thread's code: compiled, also when this file is not, since a thread does not inherit the loader that runs TypeScript. */
  readonly file?: string
}

const compiledThread = join(packageRoot, 'dist', 'bridge', 'thread.js')
const restartDelay: RetryDelay = { firstMs: 100, maxMs: 10_000 }
/** A thread that has run that long, or has settled something, has started well: the next pause is the shortest again. */
const provenMs = 30_000
const maxHeapMB = 1024
/** Of it the young generation: three times 8 MB. Node's own 48 MB show in the process's memory, not in its rate. */
const maxYoungHeapMB = 24

/** Starts the bridge's thread and keeps it running until it is closed. */
export function openBridgeThread (options: BridgeThreadOptions): BridgeThread {
  return new Supervisor(options)
}

/**
 * RUNNING: a thread reads the inbox. DOWN: it has ended; what it had said to be settled is committed, then a pause, then a new one reads
 * again what is not settled. CLOSED: the last state. RUNNING <-> DOWN, either -> CLOSED.
 */
class Supervisor implements BridgeThread {
  readonly #options: BridgeThreadOptions
  readonly #closing = new AbortController()
  readonly #settling = new Set<Promise<void>>()
  readonly #asked = new Map<number, (answer: Answer) => void>()
  readonly #done: Promise<void>
  #worker: Worker | null = null
  #status: BridgeStatus | null = null
  #hasSettled = false
  #restarts = 0
  #lastQuestion = 0

  constructor (options: BridgeThreadOptions) {
    this.#options = options
    options.inbox.onAppended(next => this.#send({ kind: 'appended', next })) // one a commit, so there are few
    this.#done = this.#keepRunning()
  }

  get status (): BridgeStatus | null { return this.#status }
  get restarts (): number { return this.#restarts }

  async ask (question: Question): Promise<string> {
    if (this.#worker === null) throw new IsobarError('ISO_BRIDGE_AWAY')
    const id = ++this.#lastQuestion
    const answered = new Promise<Answer>(resolve => this.#asked.set(id, resolve))
    this.#send({ kind: 'ask', id, question })
    const answer = await answered
    if (!answer.ok) throw new IsobarError(answer.code, answer.detail === undefined ? {} : { detail: answer.detail })
    return answer.json
  }

  async close (deadlineMs: number): Promise<void> {
    this.#closing.abort()
    this.#send({ kind: 'drain' })
    const late = setTimeout(() => {
      this.#options.log.warn({ deadlineMs }, 'the bridge has not drained in time; what is not settled stays in the inbox')
      void this.#worker?.terminate()
    }, deadlineMs)
    await this.#done
    clearTimeout(late)
  }

  async #keepRunning (): Promise<void> {
    const { clock, log } = this.#options
    const { signal } = this.#closing
    for (let attempt = 0; !signal.aborted; attempt++) {
      const startedMs = clock.monotonicMs()
      const how = await this.#runOnce()
      await Promise.all(this.#settling)
      if (signal.aborted) return
      if (this.#hasSettled || clock.monotonicMs() - startedMs > provenMs) attempt = 0
      const pauseMs = backoffMs(attempt, restartDelay)
      log.error({ how, pauseMs }, 'the bridge thread has ended and is started again; nothing is lost')
      this.#restarts++
      await clock.sleep(pauseMs, signal).catch(() => {}) // closed meanwhile: the loop ends
    }
  }

  /** Resolves when the thread has ended. */
  async #runOnce (): Promise<string> {
    const { data, log, file = compiledThread } = this.#options
    const execArgv = process.execArgv.filter(arg => /^--(cpu-prof|heap-prof|enable-source-maps)/.test(arg)) // and no loader of the tests
    const worker = new Worker(file, { workerData: data, execArgv, resourceLimits: { maxOldGenerationSizeMb: maxHeapMB, maxYoungGenerationSizeMb: maxYoungHeapMB } })
    this.#worker = worker
    this.#hasSettled = false
    worker.on('message', (message: FromBridge) => this.#onMessage(worker, message))
    worker.on('error', err => log.error({ err }, 'the bridge thread has failed'))
    const code = await new Promise<number>(resolve => worker.once('exit', resolve))
    this.#worker = null
    this.#status = null
    for (const id of this.#asked.keys()) this.#answer(id, { ok: false, code: 'ISO_BRIDGE_AWAY', detail: undefined })
    return `exit code ${code}`
  }

  #onMessage (worker: Worker, message: FromBridge): void {
    switch (message.kind) {
      case 'ready': return
      case 'status':
        this.#status = message.status
        return
      case 'settle':
        this.#settle(worker, message.id, message.settled)
        return
      case 'answer':
        this.#answer(message.id, message.answer)
        return
      case 'stored':
        this.#options.onStored?.(message.changes)
        return
      case 'notices':
        this.#options.onNotices?.(message.notices)
        return
      default: message satisfies never
    }
  }

  #answer (id: number, answer: Answer): void {
    this.#asked.get(id)?.(answer)
    this.#asked.delete(id)
  }

  #settle (worker: Worker, id: number, packed: PackedSettled): void {
    const settled = unpackSettled(packed)
    const settling = this.#options.inbox.settle(settled).then(
      () => {
        this.#hasSettled = true
        worker.postMessage({ kind: 'settled', id } satisfies ToBridge)
        this.#options.onSettled?.(settled)
      },
      err => {
        this.#options.log.error({ err }, 'settlements could not be committed; the bridge thread is ended, and a new one reads their deliveries again')
        void worker.terminate() // it would wait for the answer for ever
      }
    ).finally(() => this.#settling.delete(settling))
    this.#settling.add(settling)
  }

  #send (message: ToBridge): void {
    this.#worker?.postMessage(message)
  }
}
