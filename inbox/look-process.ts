import { IsobarError, textOf } from '../lib/errors.ts'
import { receivedAtOf } from '../schemas/delivery-bytes.ts'
import { decodeCounters } from './counters.ts'
import { type InboxContents, type LookAnswer } from './look.ts'
import { openStore, type Store } from './store.ts'

// A process of its own that reads the inbox of the folder in its first argument and prints a LookAnswer: lmdb ends the process that maps a file which was
// cut short (SIGBUS).

process.stdout.write(JSON.stringify(await look(process.argv[2]!)))

async function look (dir: string): Promise<LookAnswer> {
  try {
    const store = openStore(dir, { readOnly: true })
    const contents = contentsOf(store)
    await store.close()
    return { contents }
  } catch (error) {
    return error instanceof IsobarError ? { code: error.code, detail: error.detail } : { detail: textOf(error) }
  }
}

function contentsOf (store: Store): InboxContents | null {
  const id = store.id()
  if (id === null) return null
  const { deliveries, bytes } = store.summary()
  const first = store.firstGroup()
  const oldest = first === null ? null : store.groupAt(first)
  let readings = 0
  for (const [, counters] of store.counters()) readings += decodeCounters(counters).pending
  return { id, deliveries, readings, bytes, oldestAt: oldest === null ? null : receivedAtOf(oldest.bytes) }
}
