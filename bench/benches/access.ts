import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { deviceIterations, hashOf } from '../../broker/access/password.ts'
import { freePort } from '../free-port.ts'
import { inTemporaryFolder, type Bench } from '../figures.ts'
import { startGateway, type GatewayProcess } from '../gateway-process.ts'
import { runLoadProcess } from '../load-process.ts'

const devices = 10_000
const password = 'the password of each'
const load = { host: '127.0.0.1', connections: 50, inFlight: 100, rowsPerMessage: 1, messages: 150_000 }
/** Each has the one without the files first as often as the other, so that what the machine does beside meets both. */
const rounds = 8

/** What a password file and an acl_file of many devices cost: PUBACKs a second with and without them, in turns, with the database away. */
export const access: Bench = {
  name: 'access',
  about: `durable PUBACKs a second with password and ACL files of ${devices.toLocaleString('en')} devices, and without`,
  run: async () => await inTemporaryFolder(async dir => await inTemporaryFolder(async otherDir => {
    const env = { CRATE_URL: `postgresql://nobody@127.0.0.1:${await freePort()}/none` }
    const open = await startGateway(otherDir, env)
    const guarded = await startGateway(dir, { ...env, ...await writeFiles(dir) })
    const elapsedMs = { open: 0, guarded: 0 }
    try {
      for (let round = -1; round < rounds; round++) {
        const both = [{ name: 'open', gateway: open, login: {} }, { name: 'guarded', gateway: guarded, login: { password } }] as const
        for (const { name, gateway, login } of round % 2 === 0 ? both : both.toReversed()) {
          const ms = await elapsed(gateway, login, round + 2)
          if (round >= 0) elapsedMs[name] += ms // the first of each warms up
        }
      }
    } finally {
      await Promise.all([open.close(), guarded.close()])
    }
    const rate = (ms: number): number => rounds * load.messages / ms * 1000
    return {
      'without files, PUBACK/s': rate(elapsedMs.open),
      'with files, PUBACK/s': rate(elapsedMs.guarded),
      'with / without': elapsedMs.open / elapsedMs.guarded,
      'start without files, ms': open.startupMs,
      'start with files, ms': guarded.startupMs
    }
  }))
}

async function elapsed (gateway: GatewayProcess, login: { readonly password?: string }, seed: number): Promise<number> {
  return (await runLoadProcess({ ...load, ...login, port: gateway.mqttPort, seed })).elapsedMs
}

/** A login and three rules for each device, as an acl_file that was made by a program has them, and two patterns. */
async function writeFiles (dir: string): Promise<Record<string, string>> {
  const hash = await hashOf(password, deviceIterations) // one for all: 10,000 take a while, and reading them is the same
  const ids = Array.from({ length: devices }, (_, n) => `load-${n}`)
  const [passwordFile, aclFile] = [join(dir, 'passwords'), join(dir, 'acl')]
  await writeFile(passwordFile, ids.map(id => `${id}:${hash}\n`).join(''), { mode: 0o600 })
  const blocks = ids.map(id => `user ${id}\ntopic read iot/v1/${id}/#\ntopic write iot/v1/${id}/tele\ntopic write iot/v1/${id}/state\n`)
  await writeFile(aclFile, `${blocks.join('')}pattern read site/%u/news\npattern deny site/%c/secret\n`)
  return { ISOBAR_PASSWORD_FILE: passwordFile, ISOBAR_ACL_FILE: aclFile }
}
