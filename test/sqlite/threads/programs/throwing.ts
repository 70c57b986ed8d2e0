// A `connectionModule` that fails with every connection.
export default function register(): void {
  throw new TypeError('this module always fails')
}
