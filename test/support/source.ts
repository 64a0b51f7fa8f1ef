// A source file as the test of the architecture sees it: what it imports, for its types or at run time, and
// its code without comments, types and the insides of strings.
import { readdirSync, readFileSync } from 'node:fs'
import { join, posix, sep } from 'node:path'
import { transformSync } from 'esbuild'

export interface Source {
  /** From the root, with slashes: `broker/ring/ring.ts`. */
  readonly path: string
  readonly text: string
  readonly lines: number
  /** The code alone, as JavaScript. */
  readonly code: string
  /** What it imports at run time: paths from the root, or names of packages and of Node's modules. */
  readonly imports: readonly string[]
  /** What it imports with `import type` or `import('…').Type`, in addition. */
  readonly typeImports: readonly string[]
}

/** All `.ts` files below folders of the root, by path. */
export function readSources(root: string, folders: readonly string[]): Source[] {
  const sources: Source[] = []
  for (const folder of folders) {
    const paths = readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' })
    for (const path of paths.filter(each => each.endsWith('.ts')).sort()) {
      const name = posix.join(folder, path.split(sep).join('/'))
      sources.push(parseSource(name, readFileSync(join(root, name), 'utf8')))
    }
  }
  return sources
}

export function parseSource(path: string, text: string): Source {
  const code = transformSync(text, {
    loader: 'ts',
    legalComments: 'none',
    sourcefile: path,
    tsconfigRaw: { compilerOptions: { verbatimModuleSyntax: true, target: 'es2023' } }
  }).code
  const imports = found(path, code, [
    /^(?:import|export)\b[^"';]*?\bfrom "([^"]+)"/gm,
    /^import "([^"]+)"/gm,
    /\bimport\("([^"]+)"\)/g
  ])
  const typeImports = found(path, text, [
    /^(?:import|export) type\b[^'";]*?\bfrom '([^']+)'/gm,
    /\bimport\('([^']+)'\)\.[A-Z]/g
  ])
  return {
    path,
    text,
    lines: text.split('\n').length - (text.endsWith('\n') ? 1 : 0),
    code: code.replace(/"(?:[^"\\\n]|\\.)*"/g, '""'),
    imports,
    typeImports
  }
}

function found(path: string, text: string, patterns: readonly RegExp[]): string[] {
  const names = new Set<string>()
  for (const pattern of patterns) {
    for (const [, name] of text.matchAll(pattern)) names.add(fromRoot(path, name!))
  }
  return [...names]
}

function fromRoot(path: string, name: string): string {
  return name.startsWith('.') ? posix.join(posix.dirname(path), name) : name
}
