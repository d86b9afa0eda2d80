import { Command } from 'commander'
import { IsobarError } from '../lib/errors.ts'
import { type Finding } from './doctor/finding.ts'
import { printable } from './escape.ts'
import { printLines, printTable } from './output.ts'

/** `isobar doctor`: what keeps a gateway from starting, or from doing what it promises. */
export function doctorCommand (): Command {
  return new Command('doctor')
    .summary('examine settings, ports, disk, inbox, database and clock')
    .description('Examine what a gateway with these settings needs, and say what to do about each fault. Nothing is made or changed, and a gateway may run meanwhile.')
    .option('--device', 'examine what the agent of a device needs instead')
    .option('--json', 'print an array of objects: check, state, text, advice, code')
    .addHelpText('after', help)
    .action(async ({ device, json }: { device?: true, json?: true }) => {
      const examine = device === true ? (await import('./doctor/device.ts')).examineDevice : (await import('./doctor/examine.ts')).examine
      const findings: Finding[] = []
      for await (const finding of examine()) {
        findings.push(finding)
        if (json !== true) await printLines([findingLine(finding)])
      }
      if (json === true) await printTable({ columns: ['check', 'state', 'text', 'advice', 'code'], rows: findings.map(({ check, state, text, advice, code }) => [check, state, text, advice, code]) }, 'json')
      const failed = findings.filter(({ state }) => state === 'fail').map(({ check }) => check)
      if (failed.length > 0) throw new IsobarError('ISO_CLI_DOCTOR', { detail: failed.join(', ') })
    })
}

const help = `
Give it the settings of the gateway (environment, .env file). Examined are: the
version of Node, the limit of open files, the driver of the sensor, the settings;
the programs of the embedded PostgreSQL, the data folder and its disk, the inbox
and what waits in it, a gateway that runs, the ports (free, or used by that
gateway), the certificates and how long they last, the database with its tables,
and the clock.

With --device, on the machine with the sensor: the version of Node, the settings,
the I2C bus and the rights on it, the chip with its id and calibration, the values,
the clock, the folder of the outbox and its disk; whether the gateway is reached,
its certificate is trusted, and the device is let in.

ok: nothing to do. warn: worth knowing. FAIL: a gateway does not start, or does not
do what it promises, until it is put right.

Examples:
  isobar doctor
  isobar doctor --json
  isobar doctor --device
  ISOBAR_DATA=/var/lib/isobar isobar doctor

Exit codes: 0 nothing failed, 1 something did, 2 wrong usage.`

/** One line: state, check, what was found with its code, what to do. */
export function findingLine ({ check, state, text, advice, code }: Finding): string {
  const line = `${(state === 'fail' ? 'FAIL' : state).padEnd(4)}  ${check.padEnd(19)}  ${text}`
  return printable(`${line}${code === null ? '' : ` [${code}]`}${advice === '' ? '' : `. ${advice}`}`)
}
