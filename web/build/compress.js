// Compresses what was built, once, so that the server never does: a brotli and a gzip form beside each file that gains by it.
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { brotliCompressSync, constants, gzipSync } from 'node:zlib'

const folder = new URL('../dist/dashboard/', import.meta.url).pathname
let sum = 0
for (const entry of readdirSync(folder, { recursive: true, withFileTypes: true })) {
  if (!entry.isFile() || !/\.(html|js|css|svg|md)$/.test(entry.name)) continue
  const path = join(entry.parentPath, entry.name)
  const plain = readFileSync(path)
  const gzip = gzipSync(plain, { level: 9 })
  sum += gzip.length
  if (gzip.length >= plain.length) continue
  writeFileSync(`${path}.gz`, gzip)
  writeFileSync(`${path}.br`, brotliCompressSync(plain, { params: { [constants.BROTLI_PARAM_QUALITY]: 11 } }))
}
console.log(`the whole dashboard: ${(sum / 1024).toFixed(0)} KB gzipped`)
