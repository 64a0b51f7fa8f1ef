// Whether clients without credentials are let in. Until there are credentials, that is everybody: so a
// listener that others than this machine can reach must be allowed to by option.
import { isLoopback } from '../../broker/config.ts'
import { ShoalError } from '../../broker/errors.ts'

/** Throws OPTION_INVALID when `host` is not a loopback address and anonymous clients are not allowed by option. */
export function checkAnonymous(host: string, allowAnonymous: boolean): void {
  if (allowAnonymous || isLoopback(host)) return
  throw new ShoalError('OPTION_INVALID', {
    option: 'allowAnonymous',
    value: false,
    allowed: `true, or a loopback host instead of ${host}: clients need no credentials in this version`
  })
}
