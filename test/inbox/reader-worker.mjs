// A thread that reads the inbox as the bridge does: told that there is something, it reads on and posts what it read.
import { parentPort, workerData } from 'node:worker_threads'
import { openInboxReader } from '../../dist/inbox/reader.js'

const reader = openInboxReader(workerData.dir)
let from = 0

parentPort.on('message', message => {
  if (message === 'close') {
    void reader.close().then(() => parentPort.close())
    return
  }
  for (;;) {
    const { deliveries, next } = reader.read(from, 50_000)
    if (deliveries.length === 0) break
    from = next
    parentPort.postMessage({ deliveries: deliveries.map(({ number, deviceId, readings, payload }) => ({ number, deviceId, readings, mark: Buffer.from(payload).readUInt32LE() })) })
  }
  parentPort.postMessage({ counters: reader.counters() })
})
