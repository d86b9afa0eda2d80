import { readFile, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'
import { runCli } from '../helpers/cli.ts'

t.test('the service is installed with its settings, the secrets for root alone, and what is there stays', async t => {
  const root = t.testdir()
  const env = { ISOBAR_DEVICE_ID: 'pi-attic', ISOBAR_DEVICE_BROKER: 'mqtt://10.0.0.5', ISOBAR_DEVICE_PASSWORD: 'secret', ISOBAR_OUTBOX_COMMIT: '2m' }
  t.match(await runCli(t, ['device', 'install', '--root', root], { env }), { code: 0, stderr: '', stdout: /systemctl enable --now isobar-device/ })
  const [unit, settings, password] = ['etc/systemd/system/isobar-device.service', 'etc/isobar/device.env', 'etc/isobar/device.password'].map(path => join(root, path)) as [string, string, string]
  t.match(await readFile(unit, 'utf8'), `ExecStart=${process.execPath} `)
  t.same((await readFile(settings, 'utf8')).split('\n').filter(line => line.startsWith('ISOBAR')).sort(), ['ISOBAR_DEVICE_BROKER=mqtt://10.0.0.5', 'ISOBAR_DEVICE_ID=pi-attic', 'ISOBAR_OUTBOX_COMMIT=2m'])
  t.equal(await readFile(password, 'utf8'), 'secret')
  for (const file of [settings, password]) t.equal((await stat(file)).mode & 0o777, 0o600)
  await writeFile(settings, 'mine')
  t.match(await runCli(t, ['device', 'install', '--root', root], { env }), { code: 0, stdout: /device.env is there already/ })
  t.equal(await readFile(settings, 'utf8'), 'mine')
  t.match(await runCli(t, ['device', 'install', '--root', join(settings, 'x')], { env }), { code: 1, stderr: /ISO_DEVICE_INSTALL/ })
  t.match(await runCli(t, ['device', 'install', '--dry-run'], { env }), { code: 0, stdout: /\[Service\]/ })
})
