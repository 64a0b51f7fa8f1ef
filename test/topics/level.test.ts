import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { Level } from '../../broker/topics/level.ts'
import { filters } from './texts.ts'

function names(level: Level<number>): string[] {
  const found: string[] = []
  const kids = level.kids()
  for (let next = kids.next(); next.done !== true; next = kids.next()) found.push(next.value.name)
  return found
}

describe('a tree of levels', () => {
  test('a path leads to the level that was made for it, and only then', () => {
    fc.assert(
      fc.property(fc.uniqueArray(filters), filters, (paths, other) => {
        const root = new Level<number>('', null)
        for (const [i, path] of paths.entries()) root.make(path).value = i
        for (const [i, path] of paths.entries()) assert.equal(root.at(path)?.value, i)
        assert.equal(root.at(other)?.value ?? null, paths.includes(other) ? paths.indexOf(other) : null)
      })
    )
  })

  test('nothing is left when every path is gone, in whatever order', () => {
    const orders = fc
      .uniqueArray(filters)
      .chain(paths => fc.tuple(fc.constant(paths), fc.shuffledSubarray(paths, { minLength: paths.length })))
    fc.assert(
      fc.property(orders, ([paths, shuffled]) => {
        const root = new Level<number>('', null)
        for (const path of paths) root.make(path).value = 1
        for (const [i, path] of shuffled.entries()) {
          const level = root.at(path)!
          level.value = null
          level.prune()
          for (const left of shuffled.slice(i + 1)) assert.equal(root.at(left)?.value, 1)
        }
        assert.equal(root.only, null)
        assert.equal(root.children, null)
      })
    )
  })

  test('a level with a value or with children is not pruned', () => {
    const root = new Level<number>('', null)
    root.make('a/b').value = 1
    const a = root.at('a')!
    a.prune()
    root.at('a/b')!.prune()
    assert.equal(root.at('a/b')?.value, 1)
  })

  test('children may come and go while they are listed', () => {
    const root = new Level<number>('', null)
    for (const name of ['a', 'b', 'c']) root.make(name).value = 1
    const kids = root.kids()
    assert.equal(kids.next().value?.name, 'a')
    for (const name of ['a', 'b']) {
      const level = root.at(name)!
      level.value = null
      level.prune()
    }
    root.make('d').value = 1
    assert.equal(kids.next().value?.name, 'c')
    assert.equal(kids.next().value?.name, 'd')
    assert.ok(kids.next().done)
    assert.deepEqual(names(root), ['c', 'd'])
  })
})
