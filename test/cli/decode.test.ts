import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { explanation } from '../../cli/decode.ts'
import { packageRoot } from '../../lib/package.ts'
import { explainTelemetry } from '../../schemas/telemetry-explain.ts'
import { runCli, type CliResult } from '../helpers/cli.ts'
import { golden, hexBytes } from '../helpers/telemetry.ts'

const { hex } = golden[0]!
const bytes = Buffer.from(hex, 'hex')

async function decode (t: Test, args: readonly string[], over: { stdin?: string | Uint8Array, files?: Record<string, string | Buffer> } = {}): Promise<CliResult> {
  return await runCli(t, ['decode', ...args], { cwd: t.testdir(over.files ?? {}), stdin: over.stdin })
}

t.test('a valid payload is explained line by line, as docs/COMMANDS.md shows it', async t => {
  const { code, stdout, stderr } = await decode(t, [hex])
  t.same({ code, stderr }, { code: 0, stderr: '' })
  t.ok(readFileSync(join(packageRoot, 'docs', 'COMMANDS.md'), 'utf8').includes(stdout))
})

t.test('a faulty payload shows the line that breaks a rule, ends with 1, and names rule, offset and code', async t => {
  const { code, stdout, stderr } = await decode(t, [`${hex.slice(0, -10)}20`])
  t.equal(code, 1)
  t.match(stdout, /^26 bytes from hex: not telemetry, at offset 25\n/)
  t.match(stdout, /\n> +25 +20 +-1\]\]\} +pressure -0\.01 hPa +<- breaks: pressure 0 to 4294967295\n$/)
  t.match(stderr, /^isobar: a telemetry message contains a number out of range: offset 25 breaks the rule "pressure 0 to 4294967295" \[ISO_TELEMETRY_RANGE\]\. /)
})

t.test('hex, base64, a file and stdin are told apart', async t => {
  const base64 = bytes.toString('base64')
  const told: ReadonlyArray<readonly [args: readonly string[], over: Parameters<typeof decode>[2], origin: string]> = [
    [hex.match(/../g)!, {}, 'from hex'],
    [[base64], {}, 'from base64'],
    [['message.bin'], { files: { 'message.bin': bytes } }, 'from the file message.bin'],
    [['message.txt'], { files: { 'message.txt': `${base64}\n` } }, 'from the file message.txt, base64'],
    [[], { stdin: bytes }, 'from stdin'],
    [['-'], { stdin: `${hex}\n` }, 'from stdin, hex'],
    [[], { stdin: base64 }, 'from stdin, base64'],
    [['--hex'], { stdin: hex }, 'from stdin, hex']
  ]
  for (const [args, over, origin] of told) t.match((await decode(t, args, over)).stdout, `30 bytes ${origin}: 1 reading`, origin)
})

t.test('a flag decides what could be two things', async t => {
  const files = { abcd: bytes }
  t.match((await decode(t, ['abcd'], { files })).stdout, /^2 bytes from hex/)
  t.match((await decode(t, ['--base64', 'abcd'], { files })).stdout, /^3 bytes from base64/)
  t.match((await decode(t, ['--file', 'abcd'], { files })).stdout, /^30 bytes from the file abcd/)
  t.match((await decode(t, ['--file'], { stdin: 'abcd' })).stdout, /^4 bytes from stdin: /)
})

t.test('--json gives the readings, and nothing of a faulty payload', async t => {
  t.same(JSON.parse((await decode(t, ['--json', hex])).stdout), [{ ts: '2026-09-21T14:13:19.123Z', boot: 2671516203, seq: 160, temperature_c: 21, pressure_hpa: 988, clock: 0, status: 0 }])
  t.match(await decode(t, ['--json', 'a0']), { code: 1, stdout: '', stderr: /\[ISO_TELEMETRY_CBOR\]/ })
})

t.test('what is no payload is told', async t => {
  t.match(await decode(t, ['what is this?']), { code: 2, stderr: /"what is this\?" is neither hex nor base64 nor a file \[ISO_CLI_USAGE\]/ })
  t.match(await decode(t, ['--hex', 'xyz']), { code: 2, stderr: /the payload is not hex \[ISO_CLI_USAGE\]/ })
  t.match(await decode(t, ['--file', 'missing.bin']), { code: 1, stderr: /missing\.bin: ENOENT.*\[ISO_CLI_INPUT\]/ })
  t.match(await decode(t, ['long.bin'], { files: { 'long.bin': Buffer.alloc(1_000_001) } }), { code: 1, stderr: /longer than 1000000 bytes \[ISO_CLI_INPUT\]/ })
  t.match(await decode(t, ['--hex', '--base64', 'aa']), { code: 2, stderr: /cannot be used with/ })
})

t.test('lines fit the terminal, whatever was sent, and cannot steer it', async t => {
  const nested = hexBytes('81'.repeat(500) + '00')
  const text = Buffer.concat([Buffer.from('7820', 'hex'), Buffer.from(`\u001b[2J${'x'.repeat(28)}`)])
  for (const payload of [nested, text, new Uint8Array(20_000)]) {
    const lines = [...explanation(payload.length, 'from a test', explainTelemetry(payload), 80)]
    t.ok(lines.every(line => [...line].length <= 80))
    // eslint-disable-next-line no-control-regex
    t.notMatch(lines.join('\n'), /\u001b/)
  }
})
