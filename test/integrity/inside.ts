import { syncBuiltinESMExports } from 'node:module'
import threads, { BroadcastChannel, isMainThread, type WorkerOptions } from 'node:worker_threads'

// Loaded into a gateway by `--import`, before its own code, so that faults can be made in it that no signal makes: its bridge thread ends at any
// instruction, and its clock steps. The gateway itself knows nothing of it.

/** What the suite tells a gateway over its IPC channel. */
export type Order =
  | { readonly kind: 'kill bridge' }
  | { readonly kind: 'step clock', readonly offsetMs: number }

/** In the environment, so that a bridge thread that starts later has it too. */
const offsetName = 'ISOBAR_TEST_CLOCK_OFFSET_MS'

const realNow = Date.now
let offsetMs = Number(process.env[offsetName] ?? 0)
Date.now = () => realNow() + offsetMs

const steps = new BroadcastChannel('integrity: clock')
steps.unref()
steps.onmessage = event => { offsetMs = Number((event as { data: unknown }).data) }

if (isMainThread) {
  let bridge: threads.Worker | undefined
  class WatchedWorker extends threads.Worker {
    constructor (file: string | URL, options: WorkerOptions = {}) {
      super(file, { ...options, execArgv: [...options.execArgv ?? [], '--import', import.meta.url] })
      if (/bridge[\\/]thread\.js$/.test(String(file))) bridge = this
    }
  }
  threads.Worker = WatchedWorker
  syncBuiltinESMExports()
  process.on('message', (order: Order) => {
    switch (order.kind) {
      case 'kill bridge':
        void bridge?.terminate()
        return
      case 'step clock':
        offsetMs = order.offsetMs
        process.env[offsetName] = String(offsetMs)
        steps.postMessage(offsetMs)
        return
      default: order satisfies never
    }
  })
  process.channel?.unref()
}
