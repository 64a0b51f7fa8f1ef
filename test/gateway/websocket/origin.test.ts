// Whose pages may connect.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { isOriginAllowed } from '../../../gateway/websocket/origin.ts'

test('programs, listed origins and pages of the host itself are allowed', () => {
  for (const [origin, host, listed, loopback, expected] of [
    ['', 'localhost:8080', [], true, true],
    ['http://localhost:8080', 'localhost:8080', [], true, true],
    ['http://127.0.0.1:8080', '127.0.0.1:8080', [], true, true],
    ['http://[::1]:8080', '[::1]:8080', [], true, true],
    ['http://localhost:3000', 'localhost:8080', [], true, false],
    ['http://localhost:3000', 'localhost:8080', ['http://localhost:3000'], true, true],
    ['https://evil.example', 'localhost:8080', [], true, false],
    ['https://evil.example', 'localhost:8080', ['*'], true, true],
    // A foreign name that resolves to this machine.
    ['http://evil.example:8080', 'evil.example:8080', [], true, false],
    ['https://app.example', 'app.example', [], false, true],
    ['https://app.example', 'app.example:443', [], false, true],
    ['http://app.example', 'app.example:80', [], false, true],
    ['https://app.example', 'APP.example', [], false, true],
    ['https://app.example', 'app.example:8080', [], false, false],
    ['null', 'localhost:8080', [], true, false],
    ['file://', 'localhost:8080', [], true, false],
    ['nonsense', 'nonsense', [], false, false]
  ] as const) {
    assert.equal(isOriginAllowed(origin, host, listed, loopback), expected, `${origin} at ${host}`)
  }
})
