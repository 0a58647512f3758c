/**
 * Field lines behind a body that have no business there (RFC 9110 §6.5.1): what frames or routes a message, is for
 * one hop, says who asks, or is only the proxy's to say. Several lines may be tested at once.
 */
export const notInTrailers =
  /^(?:content-length|transfer-encoding|host|trailer|te|connection|upgrade|keep-alive|http2-settings|cookie|set-cookie|authorization|content-encoding|content-type|content-range|holdfast-[^:]*|x-forwarded-[^:]*|forwarded|via|proxy-[^:]*):/im;
