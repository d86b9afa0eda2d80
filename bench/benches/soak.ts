import { stat, writeFile } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { realClock } from '../../lib/clock.ts'
import { type GatewayStatus } from '../../schemas/status.ts'
import { inTemporaryFolder, type Bench, type BenchOptions, type Figures } from '../figures.ts'
import { startGateway, type GatewayProcess } from '../gateway-process.ts'
import { runLoadProcess, type LoadProcessOptions } from '../load-process.ts'
import { plot, slope } from '../plot.ts'
import { circumstances, resultFile } from '../results.ts'
import { settled } from './end-to-end.ts'

/** How the gateway was at one moment. */
interface Sample {
  readonly minute: number
  readonly rssAnonMB: number
  /** JavaScript heap of the main thread. */
  readonly heapMB: number
  readonly inboxMB: number
  readonly inboxFileMB: number
  readonly readings: GatewayStatus['readings']
  readonly oldestS: number
  /** Readings by which the books did not balance. */
  readonly booksOff: number
  /** Warnings and errors in the log so far. */
  readonly warnings: number
}

interface Soak extends Omit<BenchOptions, 'attackPart'> {
  readonly samples: Sample[]
  readonly warnings: string[]
}

/** Fewer points than a plot has pixels. */
const mostSamples = 720
const connections = 50

/** Load that goes on for long: what leaks, grows or warns shows. */
export const soak: Bench = {
  name: 'soak',
  about: 'memory, inbox, books and warnings over --minutes at --rate single-reading messages a second',
  onlyByName: true,
  run: async (_earlier, { minutes, messagesPerSecond }) => await inTemporaryFolder(async dir => {
    const soak: Soak = { minutes, messagesPerSecond, samples: [], warnings: [] }
    const gateway = await startGateway(dir, { ISOBAR_LOG_LEVEL: 'warn' }, line => soak.warnings.push(line))
    try {
      const over = new AbortController()
      const load: LoadProcessOptions = { host: '127.0.0.1', port: gateway.mqttPort, connections, inFlight: 100, rowsPerMessage: 1, messages: Math.round(messagesPerSecond * minutes * 60), messagesPerSecond, seed: 1 }
      const loading = runLoadProcess(load).finally(() => over.abort())
      const watching = watch(gateway, dir, soak, over.signal)
      const [{ acked, elapsedMs, reconnects }] = await Promise.all([loading, watching])
      await settled(gateway)
      soak.samples.push(await take(gateway, dir, soak, elapsedMs / 60_000))
      return figuresOf(soak, { acked, elapsedMs, reconnects })
    } finally {
      await save(soak)
      await gateway.close()
    }
  })
}

/** Takes samples until the signal; once a minute they are shown and saved, so that a run that is broken off leaves what it has seen. */
async function watch (gateway: GatewayProcess, dir: string, soak: Soak, signal: AbortSignal): Promise<void> {
  const everyMs = Math.max(1000, soak.minutes * 60_000 / mostSamples)
  const startedMs = performance.now()
  for (let n = 1, minute = 0; !signal.aborted; n++) {
    const atMs = performance.now() - startedMs
    const sample = await take(gateway, dir, soak, atMs / 60_000)
    soak.samples.push(sample)
    if (atMs >= minute * 60_000) {
      process.stdout.write(`  ${shown(sample)}\n`)
      await save(soak)
      minute++
    }
    await realClock.sleep(Math.max(0, n * everyMs - (performance.now() - startedMs)), signal).catch(() => {}) // rejects when the load is over
  }
}

async function take (gateway: GatewayProcess, dir: string, { warnings }: Soak, minute: number): Promise<Sample> {
  const [status, rssAnon, heap, file] = await Promise.all([gateway.status(), gateway.rssAnonBytes(), gateway.metric('nodejs_heap_size_used_bytes'), stat(join(dir, 'inbox', 'data.mdb'))])
  const { readings, backlog } = status
  return {
    minute,
    rssAnonMB: rssAnon / 1e6,
    heapMB: heap / 1e6,
    inboxMB: backlog.bytes / 1e6,
    inboxFileMB: file.size / 1e6,
    readings,
    oldestS: backlog.oldestS ?? 0,
    booksOff: Math.abs(readings.received - readings.stored - readings.duplicate - readings.dead - readings.pending),
    warnings: warnings.length
  }
}

function shown ({ minute, rssAnonMB, heapMB, inboxMB, readings, warnings }: Sample): string {
  return `minute ${minute.toFixed(0).padStart(4)}  RssAnon ${rssAnonMB.toFixed(0)} MB  heap ${heapMB.toFixed(0)} MB  inbox ${inboxMB.toFixed(1)} MB  received ${readings.received}  pending ${readings.pending}  warnings ${warnings}`
}

function figuresOf ({ minutes, samples, warnings }: Soak, { acked, elapsedMs, reconnects }: { acked: number, elapsedMs: number, reconnects: number }): Figures {
  const rss = samples.map(({ minute, rssAnonMB }) => [minute, rssAnonMB] as const)
  const most = (pick: (sample: Sample) => number): number => samples.reduce((greatest, sample) => Math.max(greatest, pick(sample)), 0)
  const last = samples.at(-1)!
  return {
    minutes,
    'messages acknowledged, a second': acked / elapsedMs * 1000,
    'messages acknowledged': acked,
    reconnects,
    'RssAnon after a tenth of the time, MB': rss.find(([minute]) => minute >= minutes / 10)?.[1] ?? Number.NaN,
    'RssAnon greatest, MB': most(({ rssAnonMB }) => rssAnonMB),
    'RssAnon at the end, MB': last.rssAnonMB,
    'RssAnon grows in the second half by, MB an hour': slope(rss.filter(([minute]) => minute >= minutes / 2 && minute <= minutes)) * 60,
    'heap greatest, MB': most(({ heapMB }) => heapMB),
    'inbox greatest, MB': most(({ inboxMB }) => inboxMB),
    'inbox file at the end, MB': last.inboxFileMB,
    'oldest delivery greatest, s': most(({ oldestS }) => oldestS),
    'samples in which the books were off': samples.filter(({ booksOff }) => booksOff !== 0).length,
    'readings without an end, at the end': last.readings.pending,
    'acknowledged and neither stored, duplicate nor dead': acked - (last.readings.received - last.readings.pending),
    'warnings and errors in the log': warnings.length,
    plot: basename(resultFile('-soak.svg'))
  }
}

async function save (soak: Soak): Promise<void> {
  const { minutes, messagesPerSecond, samples, warnings } = soak
  const curve = (label: string, pick: (sample: Sample) => number) => ({ label, points: samples.map(sample => [sample.minute, pick(sample)] as const) })
  await writeFile(resultFile('-soak-samples.json'), `${JSON.stringify({ ...circumstances(), minutes, messagesPerSecond, warnings, samples }, null, 1)}\n`)
  await writeFile(resultFile('-soak.svg'), plot(`isobar: ${minutes} minutes at ${messagesPerSecond.toLocaleString('en')} messages a second`, 'minutes', [
    curve('RssAnon, MB', ({ rssAnonMB }) => rssAnonMB),
    curve('heap of the main thread, MB', ({ heapMB }) => heapMB),
    curve('inbox, not settled, MB', ({ inboxMB }) => inboxMB),
    curve('inbox, file, MB', ({ inboxFileMB }) => inboxFileMB),
    curve('readings pending', ({ readings }) => readings.pending),
    curve('readings by which the books were off', ({ booksOff }) => booksOff),
    curve('warnings and errors so far', ({ warnings }) => warnings)
  ]))
}
