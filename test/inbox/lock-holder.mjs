// Takes the lock of a folder, says so, and lives on until it is killed.
import { openLock } from '../../dist/inbox/lock.js'

try {
  await openLock(process.argv[2])
  process.stdout.write('locked\n')
  setInterval(() => {}, 60_000)
} catch (error) {
  process.stdout.write(`${error.code}\n`)
}
