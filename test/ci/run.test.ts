import { execFile } from 'node:child_process'
import { chmod } from 'node:fs/promises'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { packageRoot } from '../../lib/package.ts'

const FAILED = `TAP version 14
# Subtest: test/broker/pace.test.ts
    # Subtest: a slow client waits
        ok 1 - it is connected
        # Subtest: and nobody else does
            not ok 1 - should be equivalent
              ---
              diff: |
                -  "waited": 0,
                +  "waited": 20,
              at:
                fileName: test/broker/pace.test.ts
                lineNumber: 5
              source: |2
                  t.same(waited, { waited: 0 })
                ------^
              ...
            
            1..1
        not ok 2 - and nobody else does # time=26.234ms
          ---
          at:
            lineNumber: 4
          ...
        
        1..2
    not ok 1 - a slow client waits # time=56.394ms
    
    not ok 2 - later # TODO not written yet
    1..2
    # time=1200.484ms
not ok 1 - test/broker/pace.test.ts # time=1200.484ms
  ---
  exitCode: 1
  ...

# Subtest: test/inbox/look.test.ts
    1..0 # no tests found
not ok 2 - test/inbox/look.test.ts # time=952.099ms
  ---
  exitCode: null
  signal: SIGSEGV
  ...

1..2
# { total: 4, pass: 1, fail: 2, todo: 1 }
`

/** Runs .ci/run with an npm whose `npm run test` prints FAILED and fails, and whose other commands do what `script` says. */
async function runCi (t: Test, script: string): Promise<{ code: unknown, lines: string[] }> {
  const folder = t.testdir({ npm: `#!/bin/sh\n${script}`, 'failed.tap': FAILED })
  await chmod(join(folder, 'npm'), 0o755)
  return await new Promise(resolve => {
    execFile(join(packageRoot, '.ci/run'), { env: { FOLDER: folder, PATH: `${folder}:${process.env.PATH}` } }, (error, stdout) =>
      resolve({ code: error?.code ?? 0, lines: stdout.trimEnd().split('\n') }))
  })
}

t.test('the end of the output names each assertion that failed, with its tests and diagnostics, and each step', async t => {
  const { code, lines } = await runCi(t, 'case "$*" in *test\\ --*) cat "$FOLDER/failed.tap"; echo crashed >&2; exit 1;; *check*) exit 2;; *) echo "# { total: 7, pass: 7 }";; esac')
  t.equal(code, 1)
  t.same(lines.slice(lines.indexOf('failed step: test')), [
    'failed step: test',
    'failed: test/broker/pace.test.ts > a slow client waits > and nobody else does > should be equivalent',
    'failed: test/inbox/look.test.ts',
    'test/broker/pace.test.ts > a slow client waits > and nobody else does > should be equivalent',
    '    diff: |',
    '      -  "waited": 0,',
    '      +  "waited": 20,',
    '    at:',
    '      fileName: test/broker/pace.test.ts',
    '      lineNumber: 5',
    'test/inbox/look.test.ts',
    '    exitCode: null',
    '    signal: SIGSEGV',
    'stderr: crashed',
    'failed step: check',
    '8 passed, 4 failed'
  ])
})

t.test('when all is well the output ends with the count alone', async t => {
  const { code, lines } = await runCi(t, 'echo "# { total: 7, pass: 7 }"')
  t.equal(code, 0)
  t.notMatch(lines.join('\n'), 'failed step')
  t.equal(lines.at(-1), '14 passed, 0 failed')
})

t.test('nothing is tested when the installation fails, and the end says so', async t => {
  const { code, lines } = await runCi(t, 'exit 1')
  t.equal(code, 1)
  t.same(lines, ['failed step: npm ci', '0 passed, 1 failed'])
})
