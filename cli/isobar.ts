import { CommanderError } from 'commander'
import { exitCodeOf, exitCodes, sentenceOf } from './errors.ts'
import { tolerateClosedStdout } from './output.ts'
import { createProgram } from './program.ts'

/** How long what is still open (a socket that lingers, say) may keep the process after its command has ended. */
const lingerMs = 300

tolerateClosedStdout()
process.exitCode = await run(process.argv.slice(2))
setTimeout(() => process.exit(), lingerMs).unref()

async function run (args: readonly string[]): Promise<number> {
  try {
    await createProgram().parseAsync(args, { from: 'user' })
    return exitCodes.ok
  } catch (error) {
    // commander has printed its own already.
    if (!(error instanceof CommanderError)) process.stderr.write(`isobar: ${sentenceOf(error)}\n`)
    return exitCodeOf(error)
  }
}
