// What a browser has to load.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { gzipSync } from 'node:zlib'
import { build } from 'esbuild'

const BYTES_MAX = 8 * 1024

test('the client is one small module that needs nothing else', async t => {
  const entry = fileURLToPath(new URL('../../client-js/index.js', import.meta.url))
  const { outputFiles, metafile } = await build({
    entryPoints: [entry],
    bundle: true,
    minify: true,
    format: 'esm',
    platform: 'browser',
    target: 'es2022',
    write: false,
    metafile: true
  })
  const bytes = gzipSync(outputFiles[0]!.contents, { level: 9 }).length
  t.diagnostic(`${outputFiles[0]!.contents.length} bytes, ${bytes} gzipped`)
  assert.ok(bytes < BYTES_MAX, `${bytes} bytes`)
  for (const path of Object.keys(metafile.inputs)) assert.match(path, /(^|\/)client-js\/[\w-]+\.js$/)
})
